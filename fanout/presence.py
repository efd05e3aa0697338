"""Who is connected to the live feed right now, as far as delivery needs to know.

A live process adds its readers to their shard's set of the current and the next epoch, and
again every REFRESH_SECONDS. Sets end by themselves, so a process that dies leaves nothing
behind for longer than two epochs; a reader counted as present for too long costs one
message that nobody takes.
"""

import time
from collections.abc import Iterable, Sequence

from fanout.timelines import by_shard
from storage.redis import Command, shard_tag, timeline_node

EPOCH_SECONDS = 60
REFRESH_SECONDS = 5
"""Also the longest that live delivery pauses after Redis was emptied (see `appear`)."""


def appear(reader_ids: Iterable[int]) -> set[int]:
    """Marks readers as present; answers those who were not marked in the current epoch before.

    Those among them who should have been marked already may have missed something. One round trip.
    """
    shards = by_shard(reader_ids)
    epoch = current_epoch()
    commands: list[Command] = []
    for shard, readers in shards.items():
        commands += [("SADD", present_key(shard, epoch), reader) for reader in readers]
        commands += [("EXPIRE", present_key(shard, epoch), 2 * EPOCH_SECONDS)]
        commands += [("SADD", present_key(shard, epoch + 1), *readers)]
        commands += [("EXPIRE", present_key(shard, epoch + 1), 3 * EPOCH_SECONDS)]
    answers = iter(timeline_node().round_trip(*commands) if commands else ())
    new: set[int] = set()
    for readers in shards.values():
        new |= {reader for reader in readers if next(answers)}
        for _ in range(3):
            next(answers)
    return new


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


def present_key(shard: int, epoch: int) -> str:
    return f"{shard_tag(shard)}:present:{epoch}"


def current_epoch() -> int:
    return int(time.time()) // EPOCH_SECONDS
