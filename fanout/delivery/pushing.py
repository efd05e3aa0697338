"""Putting an entry into the timelines of many readers, or taking it out of them, and telling who is connected.

Redis carries out what travels in one round trip before it serves anybody else: its read buffer grows
until a whole pipeline fits. So many readers are pushed to in slices, and who reads a timeline meanwhile
waits for one slice of each worker, no longer. Every slice carries the same snapshot, so nothing depends on
their order.

**Everything** goes by a snapshot that is taken before the readers are read (timelines/snapshots.py): a
timeline that was opened since then refuses the entry, and when the snapshot itself is outdated, as Redis was
emptied or the worker stood still, all of it is done again under a new one. After the snapshot, while the readers are
read, it is looked whether the order is open, and then for which operation it stands: so what a later one undoes is
pushed for as long as a snapshot lasts, and no longer; and not behind that one's tombstone (timelines/restoring.py).
That is the only look at an order which its writer has announced (orders/attempts.py); one that is not as it was
announced is left to the sweeper.

**In a cluster** each slice goes to the shards whose nodes answer, in one round trip as ever, and the order stays open
for the others: the sweeper pushes it again, to all. Shards that the snapshot does not know are left out.

Worked example: a worker takes a snapshot, reads that Bob follows Ada, and waits. Bob unfollows her and reads,
so his timeline is made anew, without her. The worker goes on: Bob's timeline was opened after the snapshot and
refuses the entry, and all others take it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from fanout.live import channel, presence
from fanout.live.channel import LiveKind
from fanout.live.presence import ByShard
from fanout.orders import figures
from fanout.orders.handlers import standing_of
from fanout.orders.kinds import RETRACT, OrderClosed, entry_and_author, hashtags_in
from fanout.timelines import materialised, restoring, snapshots
from fanout.timelines.materialised import Overtaken, StaleSnapshot, raise_if_refused, raise_if_stale
from fanout.timelines.snapshots import PushSnapshot
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import by_shard
from storage.stores import outbox

T = TypeVar("T")
R = TypeVar("R")
Push = Callable[[Order, Callable[[], list[int]]], list[int]]
"""`deliver`, `retract` or `restore`."""

IN_ONE_TRIP = 1_250
"""So few readers are pushed to in one round trip: it holds Redis for some 4 ms, once."""
PUSHED_AT_ONCE = 500
"""Readers a slice of more. While two processes push without a pause, a PING takes 3.3 ms (median) with slices of 250,
6.0 with 500, 9.7 with 1,250 and 12.5 with 2,500; but workers spend 3.3 µs of CPU on a delivery with slices of 250, and
1.7 with 2,500 (2 cores that others shared; docs/adr/023)."""
RESTORED_AT_ONCE = 50
"""Readers of one round trip that an entry is put back to. In the midst of 800 entries its place takes Redis 76 µs,
where taking it out takes 21 (2 cores that others shared): 4 ms at most."""
PUSH_TRIES = 3
"""Of a push that came too late; then the order waits for the sweeper."""


def deliver(order: Order, read: Callable[[], list[int]]) -> list[int]:
    """Puts the order's entry into the timelines of the readers that `read` answers, and returns these.

    With the author, who is the first reader of one push of an entry, it is told to everybody's streams: once.
    Costs a round trip for the snapshot, a store read and `read` side by side, and a round trip a slice; two more at
    most for a slice in which somebody is connected. Raises `OrderClosed`, when nothing is pushed, and `Unavailable`.
    """
    return _push_to(order, read, _deliver_slice)


def restore(order: Order, read: Callable[[], list[int]]) -> list[int]:
    """Puts the order's entry back into these timelines, and tells of it as `deliver` does.

    Tombstones have to be lifted before. Nobody, and nothing is pushed, if the order was overtaken before.
    Costs what `deliver` costs, in slices of RESTORED_AT_ONCE.
    """
    return _push_to(order, read, _restore_slice, most=RESTORED_AT_ONCE)


def retract(order: Order, read: Callable[[], list[int]]) -> list[int]:
    """Takes the order's entry out of the timelines of the readers that `read` answers, and returns these.

    Nobody if the order was overtaken before. Costs and errors are those of `deliver`.
    """
    return _push_to(order, read, _retract_slice)


class _Pushing(msgspec.Struct, frozen=True):
    """What all slices of a push have in common."""

    entry_id: int
    op: int
    """The operation that the order stands for."""
    snapshot: PushSnapshot


_PushSlice = Callable[[_Pushing, ByShard, Sequence[Command]], None]
"""Pushes to the timelines of a slice, and sends commands along. Raises `StaleSnapshot` when one refuses the snapshot,
`Overtaken`, and `Unavailable` behind all that could be done."""


def _push_to(
    order: Order, read: Callable[[], list[int]], push_slice: _PushSlice, *, most: int | None = None
) -> list[int]:
    entry_id = order.args[0]

    def push(snapshot: PushSnapshot, op: int, readers: list[int]) -> list[int]:
        to_all = _to_all(order, readers)
        missed: Unavailable | None = None
        for shards in slices(readers, most=most):
            missed = _as_far(partial(push_slice, _Pushing(entry_id, op, snapshot), shards, to_all)) or missed
            to_all = []
        if missed is not None:
            raise missed
        return readers

    return with_snapshot(order, push, read=read, overtaken=[])


def _as_far(push: Callable[[], None]) -> Unavailable | None:
    """Pushes to a slice; in a cluster of which a node does not answer, as far as the others go.

    Returns what was raised: then the order is not done. Without a cluster it is raised.
    """
    try:
        push()
    except Unavailable as error:
        if not timeline_node().is_cluster:
            raise
        return error
    return None


def with_snapshot(order: Order, push: Callable[[PushSnapshot, int, R], T], *, read: Callable[[], R], overtaken: T) -> T:
    """Returns what `push` answers for a snapshot, the operation that the order stands for, and what was read after the
    snapshot was taken; `overtaken`, when a later operation was before.

    `read` answers whom it is to push to, while the store is asked whether the order is open. `push` raises
    `StaleSnapshot` when the snapshot was outdated, and all is done again under a new one; `Overtaken` when there is no
    more to do. Costs a round trip, then a store read and `read` side by side, each time; another store read for what
    can be overtaken. Raises `OrderClosed`, and `Unavailable` after PUSH_TRIES.
    """
    for _ in range(PUSH_TRIES):
        snapshot = snapshots.take_snapshot()
        stored = outbox().open_order_soon(order.id)
        found = read()
        if stored() != order:
            raise OrderClosed
        op = standing_of(order)
        if op is None:
            return overtaken
        try:
            return push(snapshot, op, found)
        except StaleSnapshot:
            continue
        except Overtaken:
            return overtaken
    raise Unavailable(timeline_node().name)


def nobody() -> None:
    """The `read` of `with_snapshot` for what is pushed to nobody's timeline."""


def slices(readers: Sequence[int], *, most: int | None = None) -> Iterator[ByShard]:
    """Yields the readers by shard, so many for each round trip, of as few shards as possible; never above `most`."""
    size = max(1, len(readers)) if len(readers) <= IN_ONE_TRIP else PUSHED_AT_ONCE
    size = size if most is None else min(size, most)
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


def _to_all(order: Order, readers: Sequence[int]) -> Sequence[Command]:
    """What tells streams that are nobody's own of an entry that comes: with the author, who is the first reader of one
    push."""
    entry_id, author_id = entry_and_author(order)
    if order.kind == RETRACT or readers[:1] != [author_id]:
        return []
    return [channel.came_command(entry_id), *channel.tagged_commands(entry_id, hashtags_in(order))]


class _Pushed(msgspec.Struct, frozen=True):
    """What a slice's timelines answered, and who of its readers is present, as far as that is known."""

    answers: list[int]
    look: presence.Look
    is_whole: bool


def _push(commands: Sequence[Command], shards: ByShard, to_all: Sequence[Command]) -> _Pushed:
    """Pushes to timelines, looks who is present, and sends `to_all` along. One round trip.

    Timelines first, and presence after them in the same round trip: a socket that appears too late to be
    present here replays its timeline after it appeared, and so finds the timeline as it is now. Nodes of a cluster that
    do not answer are missing from what is returned. Raises `Unavailable` if none does.
    """
    pushed, look, told = timeline_node().ask(
        Read(tuple(commands), _said, spares=True), presence.look(shards), Read(tuple(to_all), _said, spares=True)
    )
    is_whole = look.is_whole and None not in pushed and None not in told
    return _Pushed([each for each in pushed if each is not None], look, is_whole)


def _said(*answers: int | None) -> tuple[int | None, ...]:
    return answers


def _raise_if_missed(shards: ByShard, known: ByShard, pushed: _Pushed) -> None:
    """Raises `Unavailable` if some of the slice's timelines were not pushed to, or not all were told that are there."""
    if not pushed.is_whole or len(known) < len(shards):
        raise Unavailable(timeline_node().name)


def _deliver_slice(pushing: _Pushing, shards: ByShard, to_all: Sequence[Command]) -> None:
    known = pushing.snapshot.known_of(shards)
    pushed = _push(materialised.deliver_commands(pushing.entry_id, known, pushing.snapshot), known, to_all)
    raise_if_stale(pushed.answers)
    figures.count_reached(pushing.entry_id, sum(pushed.answers))
    tell(LiveKind.TWEET, pushing.entry_id, pushed.look.readers())
    _raise_if_missed(shards, known, pushed)


def _restore_slice(pushing: _Pushing, shards: ByShard, to_all: Sequence[Command]) -> None:
    known = pushing.snapshot.known_of(shards)
    commands = restoring.restore_commands(pushing.entry_id, pushing.op, known, pushing.snapshot)
    pushed = _push(commands, known, to_all)
    raise_if_refused(pushed.answers)
    tell(LiveKind.TWEET, pushing.entry_id, pushed.look.readers())
    _raise_if_missed(shards, known, pushed)


def _retract_slice(pushing: _Pushing, shards: ByShard, to_all: Sequence[Command]) -> None:
    known = pushing.snapshot.known_of(shards)
    commands = materialised.retract_commands(pushing.entry_id, pushing.op, known, pushing.snapshot)
    pushed = _push(commands, known, to_all)
    raise_if_refused(pushed.answers)
    tell_gone(pushing.entry_id, pushing.op, pushed.look.readers(), pushing.snapshot)
    _raise_if_missed(shards, known, pushed)


def tell(kind: LiveKind, entry_id: int, connected: ByShard) -> None:
    """Publishes to the live processes for these readers. One round trip, none for nobody. Raises `Unavailable`."""
    if connected:
        timeline_node().round_trip(*channel.publish_commands(kind, entry_id, connected))


def tell_gone(entry_id: int, op: int, connected: ByShard, snapshot: PushSnapshot) -> None:
    """Publishes to these readers' live processes that operation `op` took the entry away; nothing if it is back.

    One round trip, none for nobody. Raises `StaleSnapshot`, `Overtaken` and `Unavailable`.
    """
    messages = zip(connected, channel.publish_commands(LiveKind.DELETE, entry_id, connected), strict=True)
    commands = [restoring.publish_in_order(message, entry_id, op, shard, snapshot) for shard, message in messages]
    if commands:
        raise_if_refused(timeline_node().round_trip(*commands))
