"""Push snapshots: what a worker knew before it read a list of followers, so that a stale list brings nothing back.

A worker may have read its list of followers before one of them left, and push after that reader's
timeline was made anew. So it takes a *snapshot* of how many timelines each shard has opened, after
its entry was written and before it reads the list, and what was opened later refuses the push. That
loses nothing: the entry was written before the snapshot, so the rebuild that opened the timeline has
pulled it, if the reader is still to have it. A timeline that was not opened since has a reader whose
graph has not changed since, or is outdated and will be made anew before it is served.

For example, Ben follows Ada, and his timeline was the 5th that its shard opened, of 7 so far:

1. Ada's entry 90 is written. A worker takes its snapshot (7), then reads her followers: Ben.
2. Ben unfollows Ada: his graph version rises, and his timeline counts as cold.
3. Ben reads. His timeline is opened as the 8th, and pulled from the store, without Ada's entries.
4. The worker pushes 90 to Ben. The shard has opened 8, not 7, so each timeline's own number is
   looked at: 8 is above 7, and Ben's refuses 90. Without that, Ben would see Ada's entry after he left.

Had 4 come before 3, the 5th timeline would have taken 90, and 3 would have ended it. Had Ben not left,
but lost his timeline in 2, then 3 would have pulled 90, and the refusal in 4 cost nothing.

**Generation.** A snapshot counts in one generation of each shard only (storage/redis/generations.py).
So nobody's tombstone or opening that an emptied Redis has forgotten is missed: a flush after 1 would
have Ben's timeline opened as the 1st in 3, which is not above 7, and only the generation tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from storage.errors import Unavailable
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import generation_key, remembered, shard_tag

T = TypeVar("T")

SNAPSHOT_SECONDS = 30
"""A page of followers is read and pushed in well under a second; a worker that took longer takes another snapshot."""


class ShardSnapshot(msgspec.Struct, frozen=True):
    """A shard as it stood then."""

    taken_us: int
    """In Unix microseconds, by the clock of the server that has the shard: no two servers' clocks are compared."""
    generation: bytes
    openings: bytes
    """Timelines opened so far."""


class PushSnapshot(msgspec.Struct, frozen=True):
    """The shards as they stood before a list of followers was read."""

    shards: tuple[ShardSnapshot | None, ...]
    """None for one whose node did not answer: nothing can be pushed there under this snapshot."""

    def of(self, shard: int) -> ShardSnapshot:
        """Returns the shard as it stood. Raises `Unavailable` when that is not known."""
        found = self.shards[shard]
        if found is None:
            raise Unavailable(timeline_node().name)
        return found

    def known_of(self, shards: Mapping[int, T]) -> dict[int, T]:
        """Returns what is of shards that can be pushed to under this snapshot."""
        return {shard: each for shard, each in shards.items() if self.shards[shard] is not None}


@remembered
def opened_key(shard: int) -> str:
    """Returns the key that counts how many timelines the shard has opened in this generation."""
    return f"{shard_tag(shard)}:opened"


def take_snapshot() -> PushSnapshot:
    """Takes a snapshot: call it after the entry was written, and before the list of followers is read.

    One round trip; two more when the node has no generation yet. Raises `Unavailable`, if no node of a cluster answers.
    """
    [found] = timeline_node().ask(_snapshot())
    if found is None:
        begin(timeline_node())
        [found] = timeline_node().ask(_snapshot())
    if found is None:
        raise Unavailable(timeline_node().name)
    return found


def _snapshot() -> Read[PushSnapshot | None]:
    """Returns a read of the snapshot, None when any shard has lost its generation.

    Two commands for a server that has all shards, whose clock is one; two a shard for a cluster.
    """
    shards = range(settings.TIMELINE_SHARDS)
    if not timeline_node().is_cluster:
        keys = [key(shard) for shard in shards for key in (generation_key, opened_key)]
        return Read((("MGET", *keys), ("TIME",)), _of_one_server)
    commands: list[Command] = []
    for shard in shards:
        commands += [("MGET", generation_key(shard), opened_key(shard)), ("TIME",)]
    return Read(tuple(commands), _of_each_shard, spares=True)


def _of_one_server(found: Sequence[bytes | None], clock: tuple[int, int]) -> PushSnapshot | None:
    taken_us = _microseconds(clock)
    shards: list[ShardSnapshot] = []
    for generation, count in zip(found[::2], found[1::2], strict=True):
        if generation is None:
            return None
        shards.append(ShardSnapshot(taken_us, generation, count or b""))
    return PushSnapshot(tuple(shards))


def _of_each_shard(*answers: Any) -> PushSnapshot | None:
    shards: list[ShardSnapshot | None] = []
    for (generation, count), clock in zip(answers[::2], answers[1::2], strict=True):
        if clock is None:
            shards.append(None)
            continue
        if generation is None:
            return None
        shards.append(ShardSnapshot(_microseconds(clock), generation, count or b""))
    return PushSnapshot(tuple(shards))


def _microseconds(clock: tuple[int, int]) -> int:
    seconds, microseconds = clock
    return int(seconds) * 1_000_000 + int(microseconds)
