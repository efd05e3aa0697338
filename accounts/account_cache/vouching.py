"""Vouching that Redis knows of every change of accounts and tokens, so that readers need not ask SQL for hours.

Each process that checks tokens or shows accounts has a thread that *looks* each second, unless another has just begun:

1. Redis is asked for its time and generation, up to where it was told, and which notes it was told lately.
2. SQL is asked for the notes since then (changes.py): on a connection of its own, with little patience.
3. Those that Redis does not know are told to it, and then it is vouched for: for VOUCHED_SECONDS since *before* SQL was
   asked, by Redis' own clock. Whoever changes something later and cannot tell Redis is so in force when that ends.

If SQL does not answer, `away` is vouched (storage/redis/lasting_cache.py), and the next process looks at once. One
process that cannot reach SQL takes nothing from those that can: `told` stands while it lasts, `away` counts for those
alone whose own breaker of SQL is open, and while one's own is open one lets others look. When SQL is away for all, each
process's looks soon open its breaker, and nobody asks or waits any more.

**Why this is no task of beat's.** A worker, the broker and beat would all have to work for SQL to be spared; and when
one of them fails is no time to ask SQL everything.

**Two Redis servers that both take themselves for the primary** are each looked at by the processes that use them, and
are each told what they have not heard. What stands in one of them is no older there than a vouch.

**Generations.** A vouch holds for the generation under which its look began. A new one is empty, and is told what has
changed within the life of an entry: what else it would have to know it has forgotten together with the entries.

**In a cluster** each shard is looked at and vouched for by itself: once its guards were heard, whatever other nodes
have missed, the log of changes among that. What the log missed is told again, for as long as looks go back.

For example, process A ends bob's tokens while it does not reach Redis, at second 100, and dies:

1. A look that began at 99.5 has vouched until 104.5. Bob's next requests, at B, are let in.
2. B's look at 100.6 finds A's note, which Redis has not been told: it leaves guards, and vouches until 105.6.
3. Bob's next request finds a guard, and SQL knows no such token: 401.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog
from django.conf import settings

from accounts.account_cache.changes import OVERLAP_SECONDS, Note, tell, told_key
from accounts.sql import can_be_asked, impatient_connection
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.process import start_anew_after_fork
from storage.redis.lasting_cache import AWAY, KEPT_SECONDS, TOLD, vouch_key
from storage.redis.node import Script, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import generation_key, shard_tag, timeline_shard

LOOK_SECONDS = 1.0
"""Between two looks of anybody's; each process asks a fifth sooner or later, so that it is not always the same."""
VOUCHED_SECONDS = 5.0
"""A change that Redis could not be told of is in force so long after its commit; on pages LOCAL_SECONDS later
(accounts.py), and that is within 10 s. Longer than a pause, an impatient look and its timeouts: while SQL hangs, `away`
stands before `told` ends."""
PAGE = 2_000
TOLD_AT_ONCE = 100
"""Notes a round trip, some 700 commands."""
EMPTIED = "emptied"
"""In place of a look: a shard without a generation, of which there is nothing to vouch for."""
COLUMNS = "id, user_id, digests, at_us"

_lua = Path(__file__).parent / "lua"
_look = Script(_lua / "look.lua")
_vouch = Script(_lua / "vouch.lua")
log = structlog.get_logger(__name__)


class Begun(msgspec.Struct, frozen=True):
    """A look at one shard that was begun: what its Redis said."""

    shard: int
    generation: bytes
    redis_ms: int
    told_until_us: int
    """Every note from before this has been told; nobody knows of one where it is the life of an entry ago."""
    told_lately: frozenset[int]

    @property
    def looked_at_from_us(self) -> int:
        """Notes that it may not have been told are no older."""
        return self.told_until_us - OVERLAP_SECONDS * 1_000_000

    def may_lack(self, note: Note) -> bool:
        return note.at_us > self.looked_at_from_us and note.id not in self.told_lately


def look() -> bool:
    """Has one look, at the shards at which nobody else does; says whether SQL answered, or need not be asked.

    At most two round trips and two SQL statements if nothing has changed; none while SQL's breaker is open, so that
    somebody looks whom SQL answers. Raises `Unavailable` for Redis.
    """
    if not can_be_asked():
        return False
    node = timeline_node()
    found = node.ask_all([_begin(shard) for shard in range(settings.TIMELINE_SHARDS)])
    begun = [each for each in found if isinstance(each, Begun)]
    if EMPTIED in found:
        with suppress(Unavailable):  # of a cluster's other nodes
            node.begin()
    if not begun:
        return True
    began_us = now_us()
    missed: set[int] = set()
    try:
        for notes in _notes_since(min(each.looked_at_from_us for each in begun)):
            missed |= _tell_missing(notes, {each.shard: each for each in begun})
    except Unavailable as error:
        if error.backend != "database":
            raise
        node.round_trip(*[_vouching(each, AWAY, None) for each in begun], *map(_let_others_look, begun))
        return False
    node.round_trip(*[_vouching(each, TOLD, began_us) for each in begun if each.shard not in missed])
    return True


def _begin(shard: int) -> Read[Begun | str | None]:
    tag = shard_tag(shard)
    keys = (generation_key(shard), _claim_key(shard), f"{tag}:told-until", told_key(shard))

    def decode(answer: list[Any] | None) -> Begun | str | None:
        if not answer:
            return None if answer is None else EMPTIED
        generation, redis_ms, until, told = answer
        until_us = int(until or now_us() - KEPT_SECONDS * 1_000_000)
        return Begun(shard, generation, redis_ms, until_us, frozenset(map(int, told)))

    return Read((_look.call(keys, int(LOOK_SECONDS * 800)),), decode, spares=True)


def _claim_key(shard: int) -> str:
    return f"{shard_tag(shard)}:looking"


def _let_others_look(look: Begun) -> Command:
    return ("DEL", _claim_key(look.shard))


def _vouching(look: Begun, state: bytes, told_until_us: int | None) -> Command:
    keys = (generation_key(look.shard), vouch_key(look.shard), f"{shard_tag(look.shard)}:told-until")
    until = "" if told_until_us is None else told_until_us
    return _vouch.call(keys, look.generation, look.redis_ms, int(VOUCHED_SECONDS * 1000), state, until, KEPT_SECONDS)


def _notes_since(after_us: int) -> Iterator[list[Note]]:
    """Pages of the notes from behind that time on, by time. Raises `Unavailable`."""
    place = (after_us, 0)
    with impatient_connection() as connection, connection.cursor() as cursor:
        while True:
            cursor.execute(
                f"SELECT {COLUMNS} FROM accounts_accountchange WHERE (at_us, id) > (%s, %s)"  # noqa: S608 - constants
                " ORDER BY at_us, id LIMIT %s",
                [*place, PAGE],
            )
            rows = cursor.fetchall()
            yield [Note(id_, user_id, tuple(digests.split()), at_us) for id_, user_id, digests, at_us in rows]
            if len(rows) < PAGE:
                return
            place = (rows[-1][3], rows[-1][0])


def _tell_missing(notes: Sequence[Note], begun: dict[int, Begun]) -> set[int]:
    """Tells Redis those that it was not told, of the shards that are looked at; returns the shards that missed some.

    What one shard has to be told anew, as its slot begins anew, is nothing new to the others.
    """
    looks = [(note, begun.get(timeline_shard(note.user_id))) for note in notes]
    missing = [note for note, look in looks if look is not None and look.may_lack(note)]
    if missing:
        log.info("changes_told_later", count=len(missing))
    missed: set[int] = set()
    for start in range(0, len(missing), TOLD_AT_ONCE):
        missed |= tell(missing[start : start + TOLD_AT_ONCE])
    return missed


class Vouching:
    """The thread of this process that looks. Thread-safe; a forked child begins without."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Begins without a thread, which is not in a forked child; who comes first starts one."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def go_on(self) -> None:
        """Has this process look from now on, as long as it lives. Costs nothing, never blocks or raises."""
        if self._thread is None:
            self._start()

    def end(self) -> None:
        """Has it look no more; for tests."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="vouching", daemon=True)
                with suppress(RuntimeError):  # the process ends
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                look()
            except Unavailable as error:
                log.debug("nothing_vouched", backend=error.backend)
            except Exception:
                log.exception("vouching_failed")
            self._ended.wait(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, hides nothing


vouching = Vouching()
