"""Materialised timelines by their readers' ids: making them ready, delivering, retracting, reading."""

import msgspec

from accounts.graph.follows import graph_version_key
from fanout.timelines import builds, layout, materialised, restoring, snapshots
from fanout.timelines.materialised import Window
from fanout.timelines.snapshots import PushSnapshot
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard, timeline_shard
from tests.ids import new_id

CAP = 10


def as_taken_before(snapshot: PushSnapshot, us: int) -> PushSnapshot:
    """The same snapshot, taken so many microseconds before it was."""
    replace = msgspec.structs.replace
    shards = [snapshot.of(shard) for shard in range(len(snapshot.shards))]
    return PushSnapshot(tuple(replace(each, taken_us=each.taken_us - us) for each in shards))


def generation_of(reader: int) -> bytes:
    return snapshots.take_snapshot().of(timeline_shard(reader)).generation


def deliver(entry_id: int, *readers: int, snapshot: PushSnapshot | None = None) -> int:
    commands = materialised.deliver_commands(entry_id, by_shard(readers), snapshot or snapshots.take_snapshot())
    return sum(timeline_node().round_trip(*commands))


def retract(entry_id: int, *readers: int, op: int | None = None, snapshot: PushSnapshot | None = None) -> int:
    commands = materialised.retract_commands(
        entry_id, op or new_id(), by_shard(readers), snapshot or snapshots.take_snapshot()
    )
    return sum(timeline_node().round_trip(*commands))


def lift(entry_id: int, op: int) -> None:
    timeline_node().round_trip(*restoring.lift_commands(entry_id, op, snapshots.take_snapshot()))


def restore(entry_id: int, *readers: int, op: int, snapshot: PushSnapshot | None = None) -> int:
    commands = restoring.restore_commands(entry_id, op, by_shard(readers), snapshot or snapshots.take_snapshot())
    return sum(timeline_node().round_trip(*commands))


def read(reader: int, *, before: int | None = None, after: int | None = None, count: int = 100) -> Window | None:
    """Without when it was opened, and what has settled, which differ from run to run."""
    [window] = timeline_node().ask(materialised.read(reader, before=before, after=after, count=count))
    return msgspec.structs.replace(window, opened_us=0, settled=0) if window is not None else None


def ready(reader: int, ids: list[int] | None = None, *, floor: int = 0) -> None:
    """A ready timeline of these ids, newest first."""
    build = builds.open_build(reader)
    assert build is not None
    assert builds.finish_build(build, ids or [], floor=floor)


def raise_epoch(reader: int) -> None:
    timeline_node().round_trip(("SET", materialised.epoch_key(timeline_shard(reader)), layout.pack(new_id())))


def raise_graph_version(reader: int) -> None:
    timeline_node().round_trip(("SET", graph_version_key(reader), layout.pack(new_id())))
