"""Presence: who is connected to the live feed right now, as far as delivery needs to know.

A live process adds its readers to their shard's sets of this *epoch* (here a minute of the clock) and
its neighbours, and again every REFRESH_SECONDS; neighbours, because the clocks of workers and live processes
differ, and an epoch may end between a look at the clock and the look-up. Sets end by
themselves, so a process that dies leaves nothing behind for longer than three epochs; a
reader counted as present for too long costs one message that nobody takes.

**Emptied Redis.** A process leaves a sign of its own beside each shard's sets. If the sign
is gone, so were the sets, for some time: its readers there may have missed something. The
sets themselves cannot tell, since another process may have refilled them first. The sign is seen gone once: of an
answer that was lost it is not known what it said, so the next one counts as if it had.
"""

import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from django.conf import settings

from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import by_shard, shard_tag

EPOCH_SECONDS = 60
REFRESH_SECONDS = 5
"""Also the longest that live delivery pauses after Redis was emptied."""
KEPT_SECONDS = 3 * EPOCH_SECONDS
FEW = 64
"""Readers of a shard about whom it costs less to ask than a round trip that it may save: a thousand of them cost
worker and Redis 0.6 ms, a round trip 0.2."""
SCANNED = 500
"""Present readers looked through at a time: a fraction of a millisecond of Redis a shard."""

ByShard = dict[int, list[int]]
"""Readers, by the shard of their timelines."""


class Appeared(NamedTuple):
    """What came of making readers present, by their shards."""

    emptied: set[int]
    """All readers of the process there, not only these, may have missed something, and may not be present."""
    unanswered: set[int]
    """Nodes that did not answer: these readers may not be present."""


class Presence:
    """The presence of one process's readers. Thread-safe."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._signed: set[int] = set()
        """Shards where this process has left its sign."""
        self._unsure: set[int] = set()
        """Shards of which the last answer was lost."""

    def appear(self, reader_ids: Iterable[int]) -> Appeared:
        """Makes readers present; says once of a shard that it was emptied. One round trip.

        Never raises `Unavailable`: the answer says who was not reached.
        """
        shards, epoch = by_shard(reader_ids), current_epoch()
        try:
            answers = timeline_node().ask_all([self._appearing(shard, epoch, shards[shard]) for shard in shards])
        except Unavailable:
            answers = [None] * len(shards)
        known = {shard: signed for shard, signed in zip(shards, answers, strict=True) if signed is not None}
        unanswered = shards.keys() - known.keys()
        with self._lock:
            unsigned = {shard for shard, was_signed in known.items() if not was_signed}
            emptied = (unsigned & self._signed) | (self._unsure & known.keys())
            self._unsure = (self._unsure - known.keys()) | unanswered
            self._signed |= known.keys()
        return Appeared(emptied, unanswered)

    def _appearing(self, shard: int, epoch: int, readers: list[int]) -> Read[bool | None]:
        """Makes the shard's readers present, and says whether the sign stood. The sign first: see above."""
        commands: list[Command] = [("SET", self._process_key(shard), b"1", "EX", KEPT_SECONDS, "GET")]
        for near in (epoch - 1, epoch, epoch + 1):
            commands.append(("SADD", present_key(shard, near), *readers))
            commands.append(("EXPIRE", present_key(shard, near), KEPT_SECONDS))
        return Read(tuple(commands), _was_signed, spares=True)

    def _process_key(self, shard: int) -> str:
        return f"{shard_tag(shard)}:live-process:{self._process}"


def _was_signed(sign: bytes | None, *added: int | None) -> bool | None:
    """Whether it stood; None if the shard's node did not answer."""
    return None if None in added else sign is not None


class Look(msgspec.Struct, frozen=True):
    """The answer of a first look, by shard; shards where nobody is present are left out."""

    present: ByShard
    """Of a few readers, who is present."""
    crowds: ByShard
    """Many readers, where somebody is present: perhaps one of them."""
    is_whole: bool = True
    """Whether all have answered; else shards of a cluster's nodes that have not are left out, too."""

    def readers(self) -> ByShard:
        """Returns the present readers. One round trip if there are crowds. Raises `Unavailable`."""
        if not self.crowds:
            return self.present
        epoch = current_epoch()
        reads = [_members(shard, epoch, readers) for shard, readers in self.crowds.items()]
        found = dict(zip(self.crowds, timeline_node().ask_all(reads), strict=True))
        return self.present | {shard: readers for shard, readers in found.items() if readers}


def look(shards: ByShard) -> Read[Look]:
    """A read of one command a shard: of a few readers, who is present; of many, whether anybody is."""
    epoch = current_epoch()
    few = {shard: _members(shard, epoch, readers) for shard, readers in shards.items() if len(readers) <= FEW}
    many = {shard: _anybody(shard, epoch) for shard in shards if shard not in few}

    def decode(*answers: Sequence[int] | int | None) -> Look:
        answered = {shard: each for shard, each in zip([*few, *many], answers, strict=True) if each is not None}
        present = {shard: read.decode(answered[shard]) for shard, read in few.items() if shard in answered}
        crowds = {shard: shards[shard] for shard in many if answered.get(shard)}
        is_whole = len(answered) == len(answers)
        return Look({shard: readers for shard, readers in present.items() if readers}, crowds, is_whole)

    commands = tuple(command for read in (*few.values(), *many.values()) for command in read.commands)
    return Read(commands, decode, spares=True)


def _members(shard: int, epoch: int, readers: list[int]) -> Read[list[int]]:
    """Reads which of a shard's readers are present."""

    def decode(answers: Sequence[int]) -> list[int]:
        return [reader for reader, is_present in zip(readers, answers, strict=True) if is_present]

    return Read((("SMISMEMBER", present_key(shard, epoch), *readers),), decode)


def _anybody(shard: int, epoch: int) -> Read[bool]:
    """Reads whether any reader of the shard is present."""
    return Read((("EXISTS", present_key(shard, epoch)),), bool)


def everyone() -> Iterator[ByShard]:
    """Yields all present readers, page by page, each page by shard; some may come twice.

    Whoever is present from the first round trip to the last one is among them. One round trip a
    page, of about SCANNED readers of every shard.
    """
    epoch = current_epoch()
    cursors = dict.fromkeys(range(settings.TIMELINE_SHARDS), 0)
    while cursors:
        scanned = timeline_node().ask_all([_scan(shard, epoch, cursor) for shard, cursor in cursors.items()])
        pages = dict(zip(cursors, scanned, strict=True))
        yield {shard: page.readers for shard, page in pages.items() if page.readers}
        cursors = {shard: page.cursor for shard, page in pages.items() if not page.is_last}


class _Page(msgspec.Struct, frozen=True):
    """Some of a shard's present readers, and where to go on."""

    cursor: int
    readers: list[int]

    @property
    def is_last(self) -> bool:
        """Redis says so by the cursor that a scan begins with."""
        return self.cursor == 0


def _scan(shard: int, epoch: int, cursor: int) -> Read[_Page]:
    def decode(answer: tuple[int, list[bytes]]) -> _Page:
        return _Page(int(answer[0]), [int(each) for each in answer[1]])

    return Read((("SSCAN", present_key(shard, epoch), cursor, "COUNT", SCANNED),), decode)


def present_key(shard: int, epoch: int) -> str:
    """The key of the set of a shard's readers who are present in an epoch."""
    return f"{shard_tag(shard)}:present:{epoch}"


def current_epoch() -> int:
    """The number of the minute, by this process's clock."""
    return int(time.time()) // EPOCH_SECONDS


def connected() -> Read[int]:
    """A read of how many people are connected, of which somebody who left may be for up to two minutes. One command a
    shard."""
    epoch = current_epoch()
    commands = tuple(("SCARD", present_key(shard, epoch)) for shard in range(settings.TIMELINE_SHARDS))
    return Read(commands, lambda *counts: sum(counts))
