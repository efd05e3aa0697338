"""Putting a pulled author's entry into the recent lists, taking it out, and telling connected readers who merge them.

Lists first, and readers are told after, as with timelines (delivery/pushing.py). Both ways cost a round trip for the
lists, one for each page of everyone connected, and two more for a page that is not empty.

For example, Ada (7) is pulled since 70, and Bob and Cleo are connected. Entry 90 goes into each shard's list of
(7, 70). Then one page of presence has both: Bob's merge set names Ada, so 90 is published to him; Cleo's does not.
Had Bob connected after that page, the list would hold 90 already, and resuming from his cursor would replay it.
"""

from collections.abc import Iterator

from fanout.delivery.pushing import nobody, tell, tell_gone, with_snapshot
from fanout.live import presence
from fanout.live.channel import LiveKind
from fanout.live.presence import ByShard
from fanout.timelines import recents
from fanout.timelines.materialised import raise_if_refused, raise_if_stale
from fanout.timelines.recents import Pulled
from fanout.timelines.snapshots import PushSnapshot
from storage.ports.outbox import Order
from storage.redis.node import timeline_node


def deliver(order: Order, pulled: Pulled) -> None:
    """Puts the order's entry into its author's recent lists.

    A round trip and a store read more than above, for the snapshot. Raises `Unavailable`, and `OrderClosed` when there
    is nothing to do.
    """

    def push(snapshot: PushSnapshot, _op: int, _: None) -> bool:
        raise_if_stale(timeline_node().round_trip(*recents.deliver_commands(order.args[0], pulled, snapshot)))
        return True

    if with_snapshot(order, push, read=nobody, overtaken=False):
        _tell_who_merges(LiveKind.TWEET, order.args[0], pulled)


def retract(order: Order, pulled: Pulled) -> None:
    """Takes the order's entry out of its author's recent lists, and tells of it as long as it is not back.

    Nothing when the order was overtaken. Costs and errors are those of `deliver`.
    """
    entry_id = order.args[0]

    def push(snapshot: PushSnapshot, op: int, _: None) -> None:
        raise_if_refused(timeline_node().round_trip(*recents.retract_commands(entry_id, op, pulled, snapshot)))
        for merging in _who_merges(pulled):
            tell_gone(entry_id, op, merging, snapshot)

    with_snapshot(order, push, read=nobody, overtaken=None)


def restore(order: Order, pulled: Pulled) -> None:
    """Puts the order's entry back into its author's recent lists, as `deliver`. Nothing when it was overtaken."""

    def push(snapshot: PushSnapshot, op: int, _: None) -> bool:
        raise_if_refused(timeline_node().round_trip(*recents.restore_commands(order.args[0], op, pulled, snapshot)))
        return True

    if with_snapshot(order, push, read=nobody, overtaken=False):
        _tell_who_merges(LiveKind.TWEET, order.args[0], pulled)


def _tell_who_merges(kind: LiveKind, entry_id: int, pulled: Pulled) -> None:
    for merging in _who_merges(pulled):
        tell(kind, entry_id, merging)


def _who_merges(pulled: Pulled) -> Iterator[ByShard]:
    """Yields pages of everyone connected, as far as they merge the author."""
    author_id, _since = pulled
    for page in presence.everyone():
        if page:
            yield _merging(page, author_id)


def _merging(present: ByShard, author_id: int) -> ByShard:
    """Returns the present readers, by shard, who merge the author or whose timelines cannot tell. One round trip."""
    asked = [recents.merging(shard, readers, author_id) for shard, readers in present.items()]
    found = zip(present, timeline_node().ask_all(asked), strict=True)
    return {shard: readers for shard, readers in found if readers}
