"""Materialised home timelines in Redis: putting entries in, taking them out, reading them.

A timeline is one list: entry ids, newest first; then the *merge set*; and as its last element a
*trailer* that holds the floor (layout.py has the bytes). Floor and entries therefore live and die
together, an existing list means "active" (an inactive follower costs a delivery one look-up),
and a timeline without entries is still a list. No module but those of this folder touches its key:
builds.py makes it, snapshots.py keeps stale lists of followers from it.

**Floor.** A ready timeline holds every entry above its floor, but those whose order is
still open and those of its merge set (authors too big to push, see delivery/celebrities.py). Below it
the reader asks the store. Trimming raises the floor to the newest entry dropped, in the same
step. Floor 0: the timeline holds everything there is. For example, with a cap of 3 and no slack:

1. [40, 30, 20] with floor 10: whatever stands in the store above 10 is here.
2. 50 is delivered. The list has one entry too many: 20 goes, and the floor becomes 20.
3. A reader who asks for four gets [50, 40, 30] from here, and from the store what is below 30: 20.
4. The delivery of 20 is repeated. It is not above the floor, and is dropped.

Were the floor raised a step later, a reader in between who has everything down to 15, and asks for what
is newer, would get [50, 40, 30], said to be complete down to 10: nobody would ever show 20 to them.

**Insert** is insert-if-absent in id order, and an id at or below the floor is dropped. So
deliveries commute with each other, with their repetitions and with a rebuild: [30, 10] becomes
[30, 20, 10] whether 20 comes once, twice, or before 30 did.

**Retract wins.** It leaves a tombstone in each shard for GONE_SECONDS, under which the entry is
not delivered any more, and what is being rebuilt leaves it out (builds.py). A worker looks
whether its order is still open *after* its snapshot (deleting closes it), and a push is refused
SNAPSHOT_SECONDS after the snapshot: so an order seen open was retracted, if at all, while the
tombstone stands. For example, in seconds:

1. At 0 a worker takes its snapshot for entry 90, sees the order open, and stands still.
2. At 1 Ada deletes 90: the order is closed, 90 taken out of every list, a tombstone laid until 121.
3. At 20 the worker goes on and pushes 90: the tombstone refuses it.
4. Had it gone on at 125, after the tombstone: its snapshot is 125 s old, and is refused. It takes another
   one, looks again, and finds the order closed.

A tombstone names the operation that laid it, since what staff deleted can be put back (restoring.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from accounts.graph.follows import graph_version_key
from fanout.timelines.layout import pack, parse_merge_set, unpack, unpack_all
from fanout.timelines.snapshots import SNAPSHOT_SECONDS, PushSnapshot, ShardSnapshot, opened_key
from storage.ids.snowflakes import MAX_ID, id_us
from storage.redis.node import Script
from storage.redis.reads import Command, Read
from storage.redis.shards import generation_key, key_of_person, remembered, shard_tag, timeline_shard

SCRIPT_CHUNK = 500
"""Timelines a script call: it holds Redis for about 1.4 ms, which every reader of the node waits."""
TRIM_SLACK = 100
"""Trimming only past this many entries too many costs a third of trimming at each delivery."""
TOUCH_SECONDS = 3600
"""A reader who polls keeps the timeline once an hour: another script call with each read would hold Redis for
as long as the read itself."""
GONE_SECONDS = 120
"""Longer than SNAPSHOT_SECONDS and the clocks' 10 s of skew, with room."""

LUA = Path(__file__).parent / "lua"
LAYOUT = LUA / "layout.lua"
PUSHES = LUA / "pushes.lua"
INSERT = LUA / "insert.lua"
STALE_SNAPSHOT = -1
"""What a push answers whose snapshot is of another generation or too old; see `raise_if_stale`."""
OVERTAKEN = -2
"""What a retraction or restoration answers when one of a later operation came before it; see `raise_if_refused`."""
FOR_GOOD = MAX_ID
"""The operation by which is retracted what its author deleted: no restoration comes after it."""

_deliver = Script(LUA / "deliver.lua", LAYOUT, PUSHES, INSERT)
_deliver_to_author = Script(LUA / "deliver_to_author.lua", LAYOUT, PUSHES, INSERT)
_retract = Script(LUA / "retract.lua", LAYOUT, PUSHES)
_read = Script(LUA / "read.lua", LAYOUT)
_touch = Script(LUA / "touch.lua", LAYOUT)


class StaleSnapshot(Exception):
    """Timelines refused a push. Take another snapshot, and read the list of readers anew."""


class Overtaken(Exception):
    """A later operation on the entry came before this one, and does all that is left to do."""


class Window(msgspec.Struct, frozen=True):
    """The answer of a ready timeline: ids newest first, and the floor they are complete down to.

    But for the entries of `merge_set`: pairs of an author and the operation since when
    they are pulled. It is that of now only if `of_this_epoch`.
    """

    ids: list[int]
    floor: int
    merge_set: tuple[tuple[int, int], ...] = ()
    of_this_epoch: bool = True
    opened_us: int = 0
    """When its rebuild began, in Unix microseconds: what is older was pulled then, what is newer was pushed."""
    settled: int = 0
    """Whatever is delivered from now on, of orders that are open still, stands above this place (settled.py)."""
    rest: tuple[int, ...] | None = None
    """The entries below `ids` that are above `settled`, newest first; None if they were not asked for."""
    to_touch: bool = False
    """Whether a read by its owner is to be followed by `touch_command`: the last one was an hour ago."""


timeline_key = key_of_person("home")
"""Where the reader's timeline stands."""


def timeline_keys(shard: int, reader_ids: Iterable[int]) -> list[str]:
    """Returns the keys of readers of one shard."""
    prefix = f"{shard_tag(shard)}:home:"
    return [f"{prefix}{reader_id}" for reader_id in reader_ids]


def gone_key(shard: int, entry_id: int) -> str:
    """Returns the key of a retracted entry's tombstone."""
    return f"{shard_tag(shard)}:gone:{entry_id}"


@remembered
def epoch_key(shard: int) -> str:
    """Returns the key of the epoch: another value of 8 bytes whenever an author becomes or ceases to be pulled.

    Nothing there is a value like any other.
    """
    return f"{shard_tag(shard)}:epoch"


@remembered
def settled_key(shard: int) -> str:
    """Returns the key of the shard's settled place (settled.py), 8 bytes as an entry's."""
    return f"{shard_tag(shard)}:settled"


def deliver_commands(entry_id: int, shards: dict[int, list[int]], snapshot: PushSnapshot) -> list[Command]:
    """Returns commands that put an entry into every active timeline of the readers, by shard. Idempotent.

    A script call for each SCRIPT_CHUNK readers of a shard, which answers how many were active;
    give the answers to `raise_if_stale`.
    """
    return [
        deliver_to_lists(entry_id, shard, timeline_keys(shard, readers), snapshot, cap=settings.TIMELINE_CAP)
        for shard, readers in chunks(shards)
    ]


def deliver_to_lists(entry_id: int, shard: int, keys: Iterable[str], snapshot: PushSnapshot, *, cap: int) -> Command:
    """Returns the command that puts an entry into lists of one shard that are encoded as timelines are."""
    stood = snapshot.of(shard)
    return _deliver.call(
        (gone_key(shard, entry_id), generation_key(shard), opened_key(shard), *keys),
        pack(entry_id),
        cap,
        TRIM_SLACK,
        *age_of(stood),
        stood.openings,
    )


def raise_if_stale(answers: Sequence[int]) -> None:
    """Raises `StaleSnapshot` when any of these deliveries was refused; the others may have landed."""
    if STALE_SNAPSHOT in answers:
        raise StaleSnapshot


def raise_if_refused(answers: Sequence[int]) -> None:
    """Raises `StaleSnapshot` as `raise_if_stale`, and `Overtaken` when a later operation on the entry came before."""
    raise_if_stale(answers)
    if OVERTAKEN in answers:
        raise Overtaken


def deliver_to_author_command(entry_id: int, author_id: int, generation: bytes | None) -> Command:
    """Returns the command after which a new entry is in its author's own timeline.

    `generation` was read before the entry was written: it may have been retracted since, and
    the tombstone forgotten. So under another generation, or when the entry is older than
    SNAPSHOT_SECONDS, the timeline is ended instead, and made anew by its next read. Authors do not
    leave themselves, so there is no list that could be stale. Without a generation, as this process has seen none,
    the timeline ends as well.
    """
    if generation is None:
        return discard_command(author_id)
    shard = timeline_shard(author_id)
    return _deliver_to_author.call(
        (gone_key(shard, entry_id), generation_key(shard), timeline_key(author_id)),
        pack(entry_id),
        settings.TIMELINE_CAP,
        TRIM_SLACK,
        id_us(entry_id),
        SNAPSHOT_SECONDS * 1_000_000,
        generation,
    )


def retract_commands(entry_id: int, op: int, shards: dict[int, list[int]], snapshot: PushSnapshot) -> list[Command]:
    """Returns commands by which operation `op` takes an entry out of the readers' timelines, by shard. Idempotent.

    Give the answers to `raise_if_refused`.
    """
    return [
        retract_from_lists(entry_id, op, shard, timeline_keys(shard, readers), snapshot)
        for shard, readers in chunks(shards)
    ]


def retract_from_lists(entry_id: int, op: int, shard: int, keys: Iterable[str], snapshot: PushSnapshot) -> Command:
    """Returns the command by which operation `op` takes an entry out of lists of one shard."""
    return _retract.call(
        (gone_key(shard, entry_id), generation_key(shard), *keys),
        pack(entry_id),
        pack(op),
        GONE_SECONDS,
        *age_of(snapshot.of(shard)),
    )


def age_of(stood: ShardSnapshot) -> tuple[int, int, bytes]:
    """Returns what a shard's scripts tell by that a snapshot is too old, or of another generation."""
    return stood.taken_us, SNAPSHOT_SECONDS * 1_000_000, stood.generation


def read(
    reader_id: int, *, before: int | None = None, after: int | None = None, count: int, rest: int = 0
) -> Read[Window | None]:
    """Returns a read of the newest `count` entries; of those below `before`; or of the nearest `count` above `after`.

    Its answer is None when the timeline is not there, not ready or outdated. `rest` is how many of the
    entries below these it says at most, as far as they are above its `settled`; none of a read with `after`.
    """
    shard = timeline_shard(reader_id)
    command = _read.call(
        (timeline_key(reader_id), graph_version_key(reader_id), epoch_key(shard), settled_key(shard)),
        pack(before) if before is not None else b"",
        pack(after) if after is not None else b"",
        count,
        active_seconds() - TOUCH_SECONDS,
        rest,
    )
    return Read((command,), _window)


def _window(answer: list[Any]) -> Window | None:
    if not answer:
        return None
    floor, merge_set, of_this_epoch, opened_us, ends_soon, settled, rest, *packed = answer
    return Window(
        list(unpack_all(b"".join(packed))),
        unpack(floor),
        parse_merge_set(merge_set),
        bool(of_this_epoch),
        int(opened_us),
        unpack(settled),
        unpack_all(rest) if rest is not None else None,
        bool(ends_soon),
    )


def touch_command(reader_id: int) -> Command:
    """Returns the command that keeps the timeline for another ACTIVE_DAYS.

    Send it with what follows a read by its owner that asks for it (`Window.to_touch`).
    """
    return _touch.call([timeline_key(reader_id)], active_seconds())


def discard_command(reader_id: int) -> Command:
    """Returns the command that ends the reader's timeline, whatever its state; the next read builds it anew."""
    return ("DEL", timeline_key(reader_id))


def active_seconds() -> int:
    """Returns how long a timeline lasts after its reader's last read."""
    return settings.ACTIVE_DAYS * 24 * 3600


def chunks(shards: dict[int, list[int]]) -> Iterator[tuple[int, list[int]]]:
    """Yields (shard, readers) for each script call."""
    for shard, readers in shards.items():
        for start in range(0, len(readers), SCRIPT_CHUNK):
            yield shard, readers[start : start + SCRIPT_CHUNK]
