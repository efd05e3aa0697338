"""Pushing what a snapshot was taken for, and again when it was stale by then (timelines/snapshots.py).

Redis carries out what travels in one round trip before it serves anybody else: its read buffer grows
until a whole pipeline fits. So many readers are pushed to in slices, and who reads a timeline meanwhile
waits for one slice of each worker, no longer. Every slice carries the same snapshot, so nothing depends on their order.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from fanout.timelines import snapshots
from fanout.timelines.materialised import StaleSnapshot
from fanout.timelines.snapshots import PushSnapshot
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard
from storage.stores import outbox

T = TypeVar("T")

IN_ONE_TRIP = 1_250
"""So few readers are pushed to in one round trip: it holds Redis for some 4 ms, once."""
PUSHED_AT_ONCE = 500
"""Readers a slice of more. While two processes push without a pause, a PING takes 3.3 ms (median) with slices of 250,
6.0 with 500, 9.7 with 1,250 and 12.5 with 2,500; but workers spend 3.3 µs of CPU on a delivery with slices of 250, and
1.7 with 2,500 (2 cores that others shared; docs/adr/023)."""
PUSH_TRIES = 3
"""Of a push that came too late; then the order waits for the sweeper."""


def push_while_open(order: Order, push: Callable[[PushSnapshot], T], *, closed: T) -> T:
    """Has `push` read its readers and deliver to them; answers what it answers, or `closed` when the order was.

    A snapshot is taken before the readers are read, and the order looked at after it. When `push` raises
    `StaleSnapshot`, it is called again with a new one. Costs a round trip and a store read for each
    try. Raises `Unavailable`.
    """
    for _ in range(PUSH_TRIES):
        snapshot = snapshots.take_snapshot()
        if outbox().open_order(order.id) is None:
            return closed
        with suppress(StaleSnapshot):
            return push(snapshot)
    raise Unavailable(timeline_node().name)


def slices(readers: Sequence[int]) -> Iterator[dict[int, list[int]]]:
    """The readers by shard, so many for each round trip, of as few shards as possible."""
    size = max(1, len(readers)) if len(readers) <= IN_ONE_TRIP else PUSHED_AT_ONCE
    found: dict[int, list[int]] = {}
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
