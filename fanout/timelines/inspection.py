"""A timeline as operators look at it: what it says of itself, and what it costs. Changes nothing, keeps none alive."""

import msgspec

from accounts.graph.follows import graph_version_key
from fanout.timelines import layout
from fanout.timelines.layout import State, Trailer, unpack
from fanout.timelines.materialised import epoch_key, settled_key, timeline_key
from storage.redis.reads import Command, Read
from storage.redis.shards import generation_key, timeline_shard

RUN_CHARS = 16
"""Of a generation: the beginning of the server's run id (storage/redis/lua)."""


class Inspection(msgspec.Struct, frozen=True):
    """What stands in Redis of one reader's timeline; `trailer` is None if nothing does."""

    shard: int
    generation: str
    """Of the shard: a run of the server, and a nonce."""
    graph_version: int
    """Of the reader's graph now; 0 before the first change."""
    epoch: int
    settled: int
    trailer: Trailer | None = None
    entries: int = 0
    merge_set: tuple[tuple[int, int], ...] = ()
    size: int = 0
    """In bytes, as Redis counts it."""
    seconds_left: int = 0

    @property
    def state(self) -> str:
        """Says in a word or two whether it can be served: "none", "being built", "outdated", "of another epoch"…"""
        if self.trailer is None:
            return "none"
        if self.trailer.state is State.BUILDING:
            return "being built"
        if unpack(self.trailer.graph_version) != self.graph_version:
            return "outdated"
        return "ready" if unpack(self.trailer.epoch) == self.epoch else "of another epoch"


def _name_of(generation: bytes | None) -> str:
    """The run of the server as it calls itself, and the nonce behind it in hex."""
    if generation is None:
        return "none"
    run, nonce = generation[:RUN_CHARS], generation[RUN_CHARS:]
    return f"{run.decode(errors='replace')}-{nonce.hex()}"


def inspect(reader_id: int) -> Read[Inspection]:
    """Returns a read of the reader's timeline. Five commands of a fixed cost."""
    shard, key = timeline_shard(reader_id), timeline_key(reader_id)
    commands: tuple[Command, ...] = (
        ("MGET", generation_key(shard), graph_version_key(reader_id), epoch_key(shard), settled_key(shard)),
        ("LLEN", key),
        ("LRANGE", key, -2, -1),
        ("MEMORY USAGE", key),
        ("TTL", key),
    )

    def decode(marks: list[bytes | None], length: int, ends: list[bytes], size: int | None, seconds: int) -> Inspection:
        generation, *numbers = marks
        version, epoch, settled = (unpack(each or b"") for each in numbers)
        found = Inspection(shard, _name_of(generation), version, epoch, settled)
        if len(ends) < 2:
            return found
        return msgspec.structs.replace(
            found,
            trailer=layout.parse_trailer(ends[-1]),
            entries=length - 2,
            merge_set=layout.parse_merge_set(ends[0]),
            size=size or 0,
            seconds_left=max(seconds, 0),
        )

    return Read(commands, decode)
