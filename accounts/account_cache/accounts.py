"""Accounts in bulk, for hydrating pages: process memory → Redis → SQL.

**Who sees a change when.** Changing or suspending an account writes SQL, and a note of it (changes.py); then, before
it answers and in one round trip, it guards the account in Redis and enters its id into the log of
changes. A reader that has read the log since then (`recent_changes`, sent
along with a round trip it makes anyway) never takes an older account
out of its memory: an entry counts only if it was fetched in the knowledge of the account's
newest change. So the change is seen by every read that starts after the change was answered.

The log (change_log.py) is of the last LOG_SECONDS; open sockets watch it as well.

For example, process A has account 7 in memory, fetched when the log did not name 7, and process B suspends 7:

1. B writes SQL, guards `account:7`, enters 7 into the log at second 500, and answers.
2. A's next page reads the log: 7 changed at 500, and the entry in memory knows of no change. It is not taken.
3. Redis has the guard, so SQL is asked: suspended. That is kept in A's memory with 500, and taken while it lives.
4. From second 520 on the log is silent about 7. It could vouch for A's first entry now, but that ended by 504.

**When Redis was emptied or failed over**, the log has forgotten changes. So an entry also counts
only under the generation of the log's shard under which it was fetched (storage/redis/generations.py),
which is read after the log: then nothing was forgotten between the fetch and that reading.

**Why the log may forget.** An entry lives `LOCAL_SECONDS`, and is put into memory at most a
slow read (5 s) after it was fetched; the log remembers longer than both together, with room
for clocks that disagree by seconds.

**When Redis does not answer** readers use memory (at most `LOCAL_SECONDS` old, and not refuted by the log if that was
still heard), then SQL. A change that Redis could not be told of is not in the log: somebody tells it within a second or
two, and nobody vouches for entries in Redis for more than VOUCHED_SECONDS (5 s, vouching.py) until then; so it is seen
everywhere within 10 s of its commit.

**When SQL does not answer** entries in Redis count for as long as they last, an hour and more for whoever is active
(storage/redis/lasting_cache.py). Whose entry does not say whether they are protected counts as protected, and is not
kept in memory.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any

import msgspec

from accounts.account_cache.change_log import Changes, change_commands, own_copy, recent_changes
from accounts.account_cache.rows import account_rows
from accounts.entities import Account
from accounts.sql import can_be_asked
from storage.errors import Unavailable
from storage.figures import looked_up_in
from storage.redis.lasting_cache import Kept, LastingCache, joined
from storage.redis.node import timeline_node
from storage.redis.reads import Read
from storage.redis.shards import Generations, generation_key, timeline_shard

HITS, MISSES = looked_up_in("accounts")
"""Counted when memory does not know them all: what it knows costs nothing, and no count either."""

LOCAL_SECONDS = 4
"""In this process, on top of what Redis' entries are vouched for."""
LOCAL_ENTRIES = 50_000
"""About 400 bytes each: 20 MB a process."""

ACCOUNTS: LastingCache[int, Account] = LastingCache(
    timeline_node,
    timeline_shard,
    lambda user_id: f"account:{user_id}",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(Account).decode,
    can_ask=can_be_asked,
)
"""By user id; beside the person's tokens (sessions/tokens.py), so that one round trip reads both."""


def accounts_by_id(
    ids: Iterable[int], *, changes: Changes | None = None, log_shard: int = 0, generation: Generations | None = None
) -> dict[int, Account]:
    """Returns the accounts that exist, suspended ones as well, by id.

    `changes` is what `recent_changes` said of the copy in `log_shard`, asked since the caller's request began, and
    `generation` the one that stood then or later. Without both memory is used only if Redis
    does not answer here either.

    Nothing when memory knows all; else one Redis round trip; and for what Redis does not
    know, or nobody vouches for, one SQL query and one more round trip. Raises `Unavailable` when an account can be had
    from nowhere.
    """
    wanted = set(ids)
    if not wanted:
        return {}
    of_the_log = generation.get(log_shard) if generation is not None else None
    if changes is None or of_the_log is None:
        return _fetch(wanted, changes or {}).all
    found = _memory.hits(wanted, changes, of_the_log)
    missing = wanted - found.keys()
    if missing:
        fetched = _fetch(missing, changes)
        _memory.keep(fetched.anew, changes, of_the_log)
        found |= fetched.all
    return found


def cached_accounts(ids: Collection[int]) -> dict[int, Account]:
    """Returns those of the accounts that caches know, as they were at some time: for whoever has asked SQL in vain.

    One Redis round trip. Where Redis does not answer, memory's.
    """
    try:
        kept, _ = _from_redis(ids)
    except Unavailable:
        return _memory.hits(ids, {}, None)
    return kept.good | kept.doubtful


class Heard(msgspec.Struct, frozen=True):
    """A copy of the log, and the generation that stood behind it: what `accounts_by_id` needs to use memory."""

    changes: Changes | None = None
    log_shard: int = 0
    generation: Generations | None = None


UNHEARD = Heard()


def heard() -> Read[Heard]:
    """Returns a read of this process's copy of the log, and then of its shard's generation. Two commands.

    When the copy's node does not answer, the process goes on with another copy.
    """
    shard = own_copy.shard
    log = recent_changes(shard)
    return Read((*log.commands, ("MGET", generation_key(shard))), partial(_heard, log, shard), spares=True)


def _heard(log: Read[Changes | None], shard: int, answer: Any, generation: Sequence[bytes | None] | None) -> Heard:
    changes = log.decode(answer)
    if changes is None:
        own_copy.leave(shard)
    of_shard = None if generation is None else generation[0]
    return Heard(changes, shard, {shard: of_shard} if of_shard else None)


def tell_of_change(user_id: int) -> None:
    """Tells readers of a changed account, again. Raises `Unavailable`, and then nobody but this process may know."""
    forget(user_id)
    node, guards, log = timeline_node(), ACCOUNTS.invalidate([user_id]), change_commands([user_id])
    for trip in (guards, log) if node.is_cluster else (guards + log,):
        node.round_trip(*trip)


class _Entry(msgspec.Struct, frozen=True):
    account: Account
    changed_at: float
    """The account's newest change in the log when it was fetched; 0 for none."""
    generation: bytes
    until: float
    """By the monotonic clock."""


class _Memory:
    """Accounts in this process, thread-safe, bounded in number and age."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        """In the order in which they end."""

    def hits(self, ids: Iterable[int], changes: Changes, generation: bytes | None) -> dict[int, Account]:
        """Returns the accounts that are still good; `generation` None is any."""
        now = time.monotonic()
        found = {}
        for each in ids:
            entry = self._entries.get(each)
            if (
                entry is not None
                and entry.until > now
                and (generation is None or entry.generation == generation)
                and entry.changed_at == changes.get(each, entry.changed_at)
            ):
                found[each] = entry.account
        return found

    def keep(self, accounts: Mapping[int, Account], changes: Changes, generation: bytes) -> None:
        now = time.monotonic()
        with self._lock:
            for each, account in accounts.items():
                self._entries.pop(each, None)
                self._entries[each] = _Entry(account, changes.get(each, 0.0), generation, now + LOCAL_SECONDS)
            while self._entries and (len(self._entries) > LOCAL_ENTRIES or self._first.until <= now):
                self._entries.popitem(last=False)

    @property
    def _first(self) -> _Entry:
        return next(iter(self._entries.values()))

    def forget(self, user_id: int) -> None:
        with self._lock:
            self._entries.pop(user_id, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


_memory = _Memory()
forget_all = _memory.clear
"""As if the process had just started."""


def forget(user_id: int) -> None:
    """Makes this process one that has not known the person's account."""
    _memory.forget(user_id)


class _Fetched(msgspec.Struct, frozen=True):
    anew: dict[int, Account]
    """Read since the log was: memory may keep them as of then."""
    remembered: dict[int, Account] = {}
    """Memory's own, of any generation: kept again they would pass for newer than they are. And what was taken for
    protected, as nobody could say."""

    @property
    def all(self) -> dict[int, Account]:
        return self.anew | self.remembered


def _fetch(ids: Collection[int], changes: Changes) -> _Fetched:
    """Asks Redis, and SQL for the others; without Redis memory, but for whom these `changes` refute, and SQL."""
    try:
        kept, generation = _from_redis(ids)
    except Unavailable:
        remembered = _memory.hits(ids, changes, None)
        return _Fetched(_from_sql(set(ids) - remembered.keys()), remembered)
    try:
        rows = _from_sql(set(ids) - kept.good.keys())
    except Unavailable:
        if kept.good.keys() | kept.doubtful.keys() != set(ids):
            raise
        unsure = {each: _closed(account) for each, account in kept.doubtful.items() if account.protected is None}
        return _Fetched(kept.good | {each: kept.doubtful[each] for each in kept.doubtful if each not in unsure}, unsure)
    _fill(rows, kept, generation)
    return _Fetched(kept.good | rows)


def _from_redis(ids: Collection[int]) -> tuple[Kept[int, Account], Generations | None]:
    """What is kept of the accounts, and the generation. A read a timeline shard, so that each stays on one node."""
    node = timeline_node()
    shards = groupby(sorted(ids, key=timeline_shard), key=timeline_shard)
    found = node.ask_all([ACCOUNTS.read_kept(list(group)) for _, group in shards])
    kept = _known_whole(joined(found))
    HITS.inc(len(kept.good))
    MISSES.inc(len(ids) - len(kept.good))
    return kept, node.generation_of(kept.generation)


def _known_whole(kept: Kept[int, Account]) -> Kept[int, Account]:
    """Doubts the entries of processes that knew of no protection, or of no muted words: they do not say that somebody
    is not protected, or mutes none, and are to say it from now on."""
    silent = {
        each: account
        for each, account in kept.good.items()
        if account.protected is None or account.muted_words_version is None
    }
    if not silent:
        return kept
    good = {each: account for each, account in kept.good.items() if each not in silent}
    return msgspec.structs.replace(kept, good=good, doubtful=kept.doubtful | silent)


def _closed(account: Account) -> Account:
    """Takes somebody for protected: SQL alone could say, and does not answer."""
    return msgspec.structs.replace(account, protected=True)


def _from_sql(ids: Collection[int]) -> dict[int, Account]:
    """Reads the accounts from SQL, which need not answer when nobody is asked for."""
    return account_rows(ids) if ids else {}


def _fill(accounts: Mapping[int, Account], kept: Kept[int, Account], generation: Generations | None) -> None:
    fills = ACCOUNTS.refill(accounts, kept.doubtful, generation=generation, redis_ms=kept.redis_ms)
    if fills:
        with suppress(Unavailable):
            timeline_node().round_trip(*fills)
