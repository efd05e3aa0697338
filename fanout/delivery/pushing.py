"""Putting an entry into the timelines of many readers, or taking it out of them, and telling who is connected.

Redis carries out what travels in one round trip before it serves anybody else: its read buffer grows
until a whole pipeline fits. So many readers are pushed to in slices, and who reads a timeline meanwhile
waits for one slice of each worker, no longer. Every slice carries the same snapshot, so nothing depends on
their order.

**Delivering** goes by a snapshot that is taken before the readers are read (timelines/snapshots.py): a
timeline that was opened since then refuses the entry, and when the snapshot itself is outdated, as Redis was
emptied or the worker stood still, all of it is done again under a new one. **Retracting** needs none:
its tombstone is there for whoever comes later.

Worked example: a worker takes a snapshot, reads that Bob follows Ada, and waits. Bob unfollows her and reads,
so his timeline is made anew, without her. The worker goes on: Bob's timeline was opened after the snapshot and
refuses the entry, and all others take it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from fanout.live import channel, presence
from fanout.live.channel import LiveKind
from fanout.live.presence import ByShard
from fanout.orders import figures
from fanout.timelines import materialised, snapshots
from fanout.timelines.materialised import StaleSnapshot, raise_if_stale
from fanout.timelines.snapshots import PushSnapshot
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import by_shard
from storage.stores import outbox

T = TypeVar("T")
Push = Callable[[Order, Callable[[], list[int]]], list[int]]
"""`deliver` or `retract`."""

IN_ONE_TRIP = 1_250
"""So few readers are pushed to in one round trip: it holds Redis for some 4 ms, once."""
PUSHED_AT_ONCE = 500
"""Readers a slice of more. While two processes push without a pause, a PING takes 3.3 ms (median) with slices of 250,
6.0 with 500, 9.7 with 1,250 and 12.5 with 2,500; but workers spend 3.3 µs of CPU on a delivery with slices of 250, and
1.7 with 2,500 (2 cores that others shared; docs/adr/023)."""
PUSH_TRIES = 3
"""Of a push that came too late; then the order waits for the sweeper."""


def deliver(order: Order, read: Callable[[], list[int]]) -> list[int]:
    """Puts the order's entry into the timelines of the readers that `read` answers, and returns these.

    With the author, who is the first reader of one push of an entry, it is told to everybody's streams: once.
    Nobody, and nothing is pushed, if the order was closed before. Costs a round trip for the snapshot, a store
    read, `read`, and a round trip a slice; two more at most for a slice in which somebody is connected.
    Raises `Unavailable`.
    """

    entry_id, author_id = order.args

    def push(snapshot: PushSnapshot) -> list[int]:
        readers = read()
        to_all = [channel.came_command(entry_id)] if readers[:1] == [author_id] else []
        missed: Unavailable | None = None

        def deliver_slice(along: Sequence[Command], shards: ByShard) -> None:
            _deliver_slice(entry_id, shards, snapshot, along)

        for shards in slices(readers):
            missed = _everywhere(shards, partial(deliver_slice, to_all)) or missed
            to_all = []
        if missed is not None:
            raise missed
        return readers

    return with_snapshot(order, push, closed=[])


def retract(order: Order, read: Callable[[], list[int]]) -> list[int]:
    """Takes the order's entry out of the timelines of the readers that `read` answers, and returns these.

    Costs `read`, and as `deliver` for each slice. Raises `Unavailable`.
    """
    readers = read()
    missed: Unavailable | None = None
    for shards in slices(readers):
        missed = _everywhere(shards, partial(_retract_slice, order.args[0])) or missed
    if missed is not None:
        raise missed
    return readers


def _everywhere(shards: ByShard, push: Callable[[ByShard], None]) -> Unavailable | None:
    """Pushes to a slice; in a cluster of which a node does not answer, to the other nodes' shards, one by one.

    Returns what was raised at last: then the order is not done. Without a cluster it is raised.
    """
    try:
        push(shards)
    except Unavailable as error:
        if not timeline_node().is_cluster:
            raise
        if len(shards) > 1:
            for shard, readers in shards.items():
                with suppress(Unavailable):
                    push({shard: readers})
        return error
    return None


def with_snapshot(order: Order, push: Callable[[PushSnapshot], T], *, closed: T) -> T:
    """Returns what `push` answers for a snapshot taken before; `closed` when the order was closed, and nothing pushed.

    `push` reads whom it pushes to. It raises `StaleSnapshot` when the snapshot was outdated, and is called again with
    a new one. Costs a round trip and a store read each time. Raises `Unavailable` after PUSH_TRIES.
    """
    for _ in range(PUSH_TRIES):
        snapshot = snapshots.take_snapshot()
        if outbox().open_order(order.id) is None:
            return closed
        with suppress(StaleSnapshot):
            return push(snapshot)
    raise Unavailable(timeline_node().name)


def slices(readers: Sequence[int]) -> Iterator[ByShard]:
    """Yields the readers by shard, so many for each round trip, of as few shards as possible."""
    size = max(1, len(readers)) if len(readers) <= IN_ONE_TRIP else PUSHED_AT_ONCE
    found: ByShard = {}
    room = size
    for shard, of_shard in by_shard(readers).items():
        start = 0
        while start < len(of_shard):
            found[shard] = of_shard[start : start + room]
            start += len(found[shard])
            room -= len(found[shard])
            if room == 0:
                yield found
                found, room = {}, size
    if found:
        yield found


def _deliver_slice(entry_id: int, shards: ByShard, snapshot: PushSnapshot, to_all: Sequence[Command] = ()) -> None:
    """Puts the entry into the timelines of a slice, and sends `to_all` along.

    Raises `StaleSnapshot` when one refuses the snapshot.

    Timelines first, and presence after them in the same round trip: a socket that appears too late to be
    present here replays its timeline after it appeared, and so finds the entry there.
    """
    commands = materialised.deliver_commands(entry_id, shards, snapshot)
    active, look, _ = timeline_node().ask(
        Read(tuple(commands), _refuse_stale), presence.look(shards), Read(tuple(to_all), _ignored)
    )
    figures.count_reached(entry_id, active)
    tell(LiveKind.TWEET, entry_id, look.readers())


def _refuse_stale(*answers: int) -> int:
    """How many timelines took part. Raises `StaleSnapshot`."""
    raise_if_stale(answers)
    return sum(answers)


def _retract_slice(entry_id: int, shards: ByShard) -> None:
    """Takes the entry out of the timelines of a slice.

    Timelines first, as when delivering: a socket that appears too late replays a timeline without the entry."""
    commands = materialised.retract_commands(entry_id, shards)
    _, look = timeline_node().ask(Read(tuple(commands), _ignored), presence.look(shards))
    tell(LiveKind.DELETE, entry_id, look.readers())


def _ignored(*_answers: int) -> None:
    """Drops how many held the entry, or listen."""


def tell(kind: LiveKind, entry_id: int, connected: ByShard) -> None:
    """Publishes to the live processes for these readers. One round trip, none for nobody. Raises `Unavailable`."""
    if connected:
        timeline_node().round_trip(*channel.publish_commands(kind, entry_id, connected))
