"""Materialised home timelines in Redis: the one module that touches their keys.

A timeline is one list: entry ids, newest first, 8 bytes each; then the *merge set*; and as
its last element a *trailer* that holds the floor. Floor and entries therefore live and die
together, an existing list means "active" (an inactive follower costs a delivery one look-up),
and a timeline without entries is still a list.

    merge set = "M" · (author (8) · since (8))*
    trailer   = state (1) · floor (8) · graph version (8) · token (8) · opened (12) · epoch (8) · when (16)

**Floor.** A ready timeline holds every entry above its floor, but those whose order is
still open and those of its merge set (authors too big to push, see delivery/celebrities.py). Below it
the reader asks the store. Trimming raises the floor to the newest entry dropped, in the same
step. Floor 0: the timeline holds everything there is.

**Insert** is insert-if-absent in id order, and an id at or below the floor is dropped. So
deliveries commute with each other, with their repetitions and with a rebuild.

**Rebuild** opens the timeline under a token, so that deliveries land in it from then on;
pulls from the store; then merges and sets the floor in one step, only under its own token
and while the reader's graph version and the epoch are still those that it opened under. A
tweet written before the pull is pulled; one written later is delivered after the opening, and
lands. Concurrent readers build once. An abandoned build ends by itself after BUILD_SECONDS.

**Graph version.** A timeline built under another version of its reader's graph than the
current one counts as cold: it may hold people whom the reader no longer follows.

**Stale follower lists.** A worker may have read its list of followers before one of them left,
and push after that reader's timeline was made anew. So it *notes* how many timelines each
shard has opened (`Note`) after its entry was written and before it reads the list, and what
was opened later refuses the push. That loses nothing: the entry was written before the note,
so the rebuild that opened the timeline has pulled it, if the reader is still to have it. A
timeline that was not opened since has a reader whose graph has not changed since, or is
outdated and will be made anew before it is served.

**Retract wins.** It leaves a tombstone in each shard for GONE_SECONDS, under which the entry is
not delivered any more, and in a timeline that is being rebuilt a note beside the trailer, so
that what was pulled before is not merged after. A worker looks whether its order is still
open *after* its note (deleting closes it), and a push is refused NOTE_SECONDS after the note:
so an order seen open was retracted, if at all, while the tombstone stands.

**Generation.** A note counts in one generation of the node only (storage/redis/generations.py).
So nobody's tombstone or opening that an emptied Redis has forgotten is missed.

Ids are compared as two 32-bit halves: a Lua number cannot hold 63 bits exactly, and Lua
compares strings by locale.
"""

import secrets
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from accounts.graph.follows import graph_version_key
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.scripts import Script
from storage.redis.shards import generation_key, shard_tag, timeline_shard

SCRIPT_CHUNK = 500
"""Timelines a script call: it holds Redis for about 1.4 ms, which every reader of the node waits."""
TRIM_SLACK = 100
"""Trimming only past this many entries too many costs a third of trimming at each delivery."""
BUILD_SECONDS = 30
"""Longer than any rebuild; afterwards an abandoned one is gone and the next reader builds."""
TOUCH_SECONDS = 3600
"""A reader who polls keeps the timeline once an hour: another script call with each read would hold Redis for
as long as the read itself."""
NOTE_SECONDS = 30
"""A page of followers is read and pushed in well under a second; a worker that took longer notes again."""
GONE_SECONDS = 120
"""Longer than NOTE_SECONDS and the clocks' 10 s of skew, with room."""

LUA = Path(__file__).parent / "lua"
NO_GENERATION = -1
"""What opening answers on a node that was emptied."""
NO_LIST = b"-"
OUTDATED = -1
"""What a delivery answers whose note is of another generation or too old."""

_deliver = Script(LUA / "deliver.lua")
_retract = Script(LUA / "retract.lua")
_read = Script(LUA / "read.lua")
_open = Script(LUA / "open.lua")
_merge = Script(LUA / "merge.lua")
_touch = Script(LUA / "touch.lua")
_adopt = Script(LUA / "adopt.lua")


class Window(msgspec.Struct, frozen=True):
    """What a ready timeline answered: ids newest first, and the floor they are complete down to.

    But for the entries of `merge_set`: pairs of an author and the operation since when
    they are pulled. It is that of now only if `of_this_epoch`.
    """

    ids: list[int]
    floor: int
    merge_set: tuple[tuple[int, int], ...] = ()
    of_this_epoch: bool = True
    opened_us: int = 0
    """When its rebuild began, in Unix microseconds: what is older was pulled then, what is newer was pushed."""
    to_touch: bool = False
    """Whether a read by its owner is to be followed by `touch_command`: the last one was an hour ago."""


class Note(msgspec.Struct, frozen=True):
    """How the shards stood before a list of followers was read."""

    time_us: int
    """By Redis' clock."""
    generation: bytes
    opened: tuple[bytes, ...]
    """Timelines opened so far, by shard."""


class Standing(msgspec.Struct, frozen=True):
    """A ready timeline's merge set, when it was opened, and the epoch of now, which need not be the timeline's."""

    reader_id: int
    token: bytes
    epoch: bytes
    merge_set: tuple[tuple[int, int], ...]
    opened_us: int


class Build(msgspec.Struct, frozen=True):
    """A rebuild under way; `token` is the right to finish it."""

    reader_id: int
    token: bytes


def timeline_key(reader_id: int) -> str:
    [key] = timeline_keys(timeline_shard(reader_id), [reader_id])
    return key


def timeline_keys(shard: int, reader_ids: Iterable[int]) -> list[str]:
    """The keys of readers of one shard."""
    prefix = f"{shard_tag(shard)}:home:"
    return [f"{prefix}{reader_id}" for reader_id in reader_ids]


def opened_key(shard: int) -> str:
    return f"{shard_tag(shard)}:opened"


def gone_key(shard: int, entry_id: int) -> str:
    return f"{shard_tag(shard)}:gone:{entry_id}"


def epoch_key(shard: int) -> str:
    """Where another value of 8 bytes stands whenever an author becomes or ceases to be pulled.

    Nothing there is a value like any other.
    """
    return f"{shard_tag(shard)}:epoch"


def note() -> Note:
    """To be taken after the entry was written, and before the list of followers is read.

    One round trip; two more when the node has no generation yet. Raises `Unavailable`.
    """
    found = _note()
    if found is None:
        begin(timeline_node())
        found = _note()
    if found is None:
        raise Unavailable(timeline_node().name)
    return found


def _note() -> Note | None:
    shards = range(settings.TIMELINE_SHARDS)
    reads: list[Command] = [("MGET", generation_key(shard), opened_key(shard)) for shard in shards]
    *answers, (seconds, microseconds) = timeline_node().round_trip(*reads, ("TIME",))
    generation = answers[0][0]
    if generation is None or any(each != generation for each, _ in answers):
        return None
    opened = tuple(each or b"" for _, each in answers)
    return Note(int(seconds) * 1_000_000 + int(microseconds), generation, opened)


def deliver_commands(entry_id: int, shards: dict[int, list[int]], noted: Note) -> list[Command]:
    """Commands that put an entry into every active timeline of the readers, by shard. Idempotent.

    A script call for each SCRIPT_CHUNK readers of a shard, which answers how many were active,
    or -1 when the note is outdated: then note, and read the list of readers anew.
    """
    return [
        deliver_to_lists(entry_id, shard, timeline_keys(shard, readers), noted, cap=settings.TIMELINE_CAP)
        for shard, readers in _chunks(shards)
    ]


def deliver_to_lists(entry_id: int, shard: int, keys: Iterable[str], noted: Note, *, cap: int) -> Command:
    """The command that puts an entry into lists of one shard that are encoded as timelines are."""
    return _deliver.call(
        (gone_key(shard, entry_id), generation_key(shard), opened_key(shard), *keys),
        pack(entry_id),
        cap,
        TRIM_SLACK,
        noted.time_us,
        NOTE_SECONDS * 1_000_000,
        noted.generation,
        noted.opened[shard],
    )


def deliver_to_author_command(entry_id: int, author_id: int, generation: bytes) -> Command:
    """The command after which a new entry is in its author's own timeline.

    `generation` was noted before the entry was written: it may have been retracted since, and
    the tombstone forgotten. So under another generation, or when the entry is older than
    NOTE_SECONDS, the timeline is ended instead, and made anew by its next read. Authors do not
    leave themselves, so there is no list that could be stale.
    """
    shard = timeline_shard(author_id)
    noted = Note(id_us(entry_id), generation, (NO_LIST,) * settings.TIMELINE_SHARDS)
    return deliver_to_lists(entry_id, shard, [timeline_key(author_id)], noted, cap=settings.TIMELINE_CAP)


def retract_commands(entry_id: int, shards: dict[int, list[int]]) -> list[Command]:
    """Commands that take an entry out of the readers' timelines for good, by shard. Idempotent."""
    return [retract_from_lists(entry_id, shard, timeline_keys(shard, readers)) for shard, readers in _chunks(shards)]


def retract_from_lists(entry_id: int, shard: int, keys: Iterable[str]) -> Command:
    """The command that takes an entry out of lists of one shard for good."""
    return _retract.call((gone_key(shard, entry_id), *keys), pack(entry_id), GONE_SECONDS)


def read_command(reader_id: int, *, before: int | None = None, after: int | None = None, count: int) -> Command:
    """The command whose answer `window` understands.

    The newest `count` entries; those below `before`; or the nearest `count` above `after`.
    """
    return _read.call(
        (timeline_key(reader_id), graph_version_key(reader_id), epoch_key(timeline_shard(reader_id))),
        pack(before) if before is not None else b"",
        pack(after) if after is not None else b"",
        count,
        active_seconds() - TOUCH_SECONDS,
    )


def window(answer: list[Any]) -> Window | None:
    """The window that a read answered; None when the timeline is not there, not ready or outdated."""
    if not answer:
        return None
    floor, merge_set, of_this_epoch, opened_us, ends_soon, *packed = answer
    ids = list(struct.unpack(f">{len(packed)}Q", b"".join(packed)))
    return Window(ids, unpack(floor), _pairs(merge_set), bool(of_this_epoch), int(opened_us), bool(ends_soon))


def touch_command(reader_id: int) -> Command:
    """Keeps the timeline for another ACTIVE_DAYS: sent with a read by its owner that says so (`Window.to_touch`)."""
    return _touch.call([timeline_key(reader_id)], active_seconds())


def discard_command(reader_id: int) -> Command:
    """Ends the reader's timeline, whatever its state; the next read builds it anew."""
    return ("DEL", timeline_key(reader_id))


def open_build(reader_id: int) -> Build | None:
    """Opens the reader's timeline for a rebuild; None when it is ready, or another is building it.

    From now on deliveries land in it, so read the graph, the pulled authors and the store only
    after this. One round trip; two more when the node has no generation yet. Raises `Unavailable`.
    """
    shard = timeline_shard(reader_id)
    keys = (timeline_key(reader_id), graph_version_key(reader_id), epoch_key(shard))
    token = secrets.token_bytes(8)
    command = _open.call((*keys, generation_key(shard), opened_key(shard)), token, BUILD_SECONDS)
    [opened] = timeline_node().round_trip(command)
    if opened == NO_GENERATION:
        begin(timeline_node())
        [opened] = timeline_node().round_trip(command)
    return Build(reader_id, token) if opened == 1 else None


def finish_build(build: Build, ids: Sequence[int], *, floor: int, merge_set: Sequence[tuple[int, int]] = ()) -> bool:
    """Merges the pulled `ids` (newest first) with what was delivered meanwhile; ready from now on.

    `merge_set`: authors whose entries are not among them, each with the operation since when
    they are pulled. False when the build was overtaken: the graph or the epoch changed, Redis was
    emptied, or it took too long.
    """
    reader_id = build.reader_id
    [finished] = timeline_node().round_trip(
        _merge.call(
            (timeline_key(reader_id), graph_version_key(reader_id), epoch_key(timeline_shard(reader_id))),
            build.token,
            pack(floor),
            active_seconds(),
            b"".join(pack(each) for pair in merge_set for each in pair),
            b"".join(pack(each) for each in ids),
        )
    )
    return bool(finished)


def standing(reader_id: int) -> Standing | None:
    """To be read before it is looked up who is pulled. None when no timeline is ready. One round trip."""
    epoch, ends = timeline_node().round_trip(
        ("GET", epoch_key(timeline_shard(reader_id))), ("LRANGE", timeline_key(reader_id), -2, -1)
    )
    if len(ends) < 2 or not ends[1].startswith(b"R"):
        return None
    return Standing(reader_id, ends[1][17:25], epoch or bytes(8), _pairs(ends[0][1:]), int(ends[1][45:61]))


def adopt(found: Standing) -> bool:
    """Has the timeline serve under the epoch that it was found in; False when it has been made anew since.

    To be called when its merge set is still right. One round trip.
    """
    [adopted] = timeline_node().round_trip(_adopt.call([timeline_key(found.reader_id)], found.token, found.epoch))
    return bool(adopted)


def active_seconds() -> int:
    return settings.ACTIVE_DAYS * 24 * 3600


def pack(number: int) -> bytes:
    return number.to_bytes(8, "big")


def unpack(packed: bytes) -> int:
    return int.from_bytes(packed, "big")


def _chunks(shards: dict[int, list[int]]) -> Iterator[tuple[int, list[int]]]:
    """(shard, readers) for each script call."""
    for shard, readers in shards.items():
        for start in range(0, len(readers), SCRIPT_CHUNK):
            yield shard, readers[start : start + SCRIPT_CHUNK]


def _pairs(packed: bytes) -> tuple[tuple[int, int], ...]:
    return tuple(
        (unpack(packed[start : start + 8]), unpack(packed[start + 8 : start + 16]))
        for start in range(0, len(packed), 16)
    )
