"""Who is connected to the live feed right now, as far as delivery needs to know.

A live process adds its readers to their shard's sets of this epoch and its neighbours, and
again every REFRESH_SECONDS; neighbours, because the clocks of workers and live processes
differ, and an epoch may end between a look at the clock and the look-up. Sets end by
themselves, so a process that dies leaves nothing behind for longer than three epochs; a
reader counted as present for too long costs one message that nobody takes.

**Emptied Redis.** A process leaves a mark of its own beside each shard's sets. If the mark
is gone, so were the sets, for some time: its readers there may have missed something. The
sets themselves cannot tell, since another process may have refilled them first.
"""

import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence

from django.conf import settings

from storage.redis.node import timeline_node
from storage.redis.reads import Command
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


class Presence:
    """The presence of one process's readers. Thread-safe."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._marked: set[int] = set()

    def appear(self, reader_ids: Iterable[int]) -> set[int]:
        """Marks readers as present; answers the shards whose readers may have missed something.

        One round trip. Raises `Unavailable`, and then they may not be marked.
        """
        shards = by_shard(reader_ids)
        if not shards:
            return set()
        epoch = current_epoch()
        commands: list[Command] = [("SET", self._mark_key(shard), b"1", "EX", KEPT_SECONDS, "GET") for shard in shards]
        for shard, readers in shards.items():
            for near in (epoch - 1, epoch, epoch + 1):
                commands.append(("SADD", present_key(shard, near), *readers))
                commands.append(("EXPIRE", present_key(shard, near), KEPT_SECONDS))
        answers = timeline_node().round_trip(*commands)
        with self._lock:
            fresh = {shard for shard, mark in zip(shards, answers, strict=False) if mark is None}
            emptied = fresh & self._marked
            self._marked |= shards.keys()
        return emptied

    def _mark_key(self, shard: int) -> str:
        return f"{shard_tag(shard)}:live-process:{self._process}"


def look_commands(shards: dict[int, list[int]]) -> list[Command]:
    """Commands, one a shard, whose answers `seen` understands: who of a few is present; of many, whether anybody is."""
    epoch = current_epoch()
    return [
        ("SMISMEMBER", present_key(shard, epoch), *readers)
        if len(readers) <= FEW
        else ("EXISTS", present_key(shard, epoch))
        for shard, readers in shards.items()
    ]


def seen(shards: dict[int, list[int]], answers: Sequence[Sequence[int] | int]) -> dict[int, list[int]]:
    """The present readers of each shard, shards without any left out. One round trip if somebody is, among many."""
    looked = dict(zip(shards, answers, strict=True))
    few = {shard: answer for shard, answer in looked.items() if not isinstance(answer, int)}
    found = present({shard: shards[shard] for shard in few}, list(few.values()))
    crowds = {shard: shards[shard] for shard, answer in looked.items() if answer == 1}
    if not crowds:
        return found
    return found | present(crowds, timeline_node().round_trip(*present_commands(crowds)))


def present_commands(shards: dict[int, list[int]]) -> list[Command]:
    """Commands, one a shard, whose answers `present` understands."""
    epoch = current_epoch()
    return [("SMISMEMBER", present_key(shard, epoch), *readers) for shard, readers in shards.items()]


def present(shards: dict[int, list[int]], answers: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """The present readers of each shard, shards without any left out."""
    found = {
        shard: [reader for reader, is_present in zip(readers, answer, strict=True) if is_present]
        for (shard, readers), answer in zip(shards.items(), answers, strict=True)
    }
    return {shard: readers for shard, readers in found.items() if readers}


def everyone() -> Iterator[dict[int, list[int]]]:
    """All present readers, page by page, each page by shard; some may come twice.

    Whoever is present from the first round trip to the last one is among them. One round trip a
    page, of about SCANNED readers of every shard.
    """
    epoch = current_epoch()
    cursors = dict.fromkeys(range(settings.TIMELINE_SHARDS), 0)
    while cursors:
        answers = timeline_node().round_trip(
            *(("SSCAN", present_key(shard, epoch), cursor, "COUNT", SCANNED) for shard, cursor in cursors.items())
        )
        pages = dict(zip(cursors, answers, strict=True))
        yield {shard: [int(each) for each in readers] for shard, (_, readers) in pages.items() if readers}
        cursors = {shard: int(cursor) for shard, (cursor, _) in pages.items() if int(cursor)}


def present_key(shard: int, epoch: int) -> str:
    return f"{shard_tag(shard)}:present:{epoch}"


def current_epoch() -> int:
    return int(time.time()) // EPOCH_SECONDS
