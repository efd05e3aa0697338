"""Putting a pulled author's entry into the recent lists, and telling connected readers who merge them."""

from functools import partial

from fanout.delivery.pushing import push_while_open
from fanout.live import channel, presence
from fanout.live.channel import LiveKind
from fanout.orders.kinds import DELIVER
from fanout.timelines import recents
from fanout.timelines.materialised import raise_if_stale
from fanout.timelines.recents import Pulled
from fanout.timelines.snapshots import PushSnapshot
from storage.ports.outbox import Order
from storage.redis.node import timeline_node


def deliver_to_recents(order: Order, pulled: Pulled) -> None:
    """Puts the entry into its author's recent lists, or takes it out, and tells connected readers who merge them.

    Lists first, as with timelines (delivery/fan_out.py). Two or three round trips, and two more for each
    page of everyone connected. Nothing when the order was closed meanwhile. Raises `Unavailable`.
    """
    if order.kind == DELIVER:
        push_while_open(order, partial(_push, order.args[0], pulled), closed=None)
    else:
        _retract(order.args[0], pulled)


def _push(entry_id: int, pulled: Pulled, snapshot: PushSnapshot) -> None:
    raise_if_stale(timeline_node().round_trip(*recents.deliver_commands(entry_id, pulled, snapshot)))
    _tell(LiveKind.TWEET, entry_id, pulled)


def _retract(entry_id: int, pulled: Pulled) -> None:
    timeline_node().round_trip(*recents.retract_commands(entry_id, pulled))
    _tell(LiveKind.DELETE, entry_id, pulled)


def _tell(kind: LiveKind, entry_id: int, pulled: Pulled) -> None:
    author_id, _since = pulled
    for page in presence.everyone():
        merging = _merging(page, author_id) if page else {}
        if merging:
            timeline_node().round_trip(*channel.publish_commands(kind, entry_id, merging))


def _merging(present: dict[int, list[int]], author_id: int) -> dict[int, list[int]]:
    """Those of the present readers, by shard, who merge the author or whose timelines cannot tell. One round trip."""
    asked = [recents.merging(shard, readers, author_id) for shard, readers in present.items()]
    found = zip(present, timeline_node().ask_all(asked), strict=True)
    return {shard: readers for shard, readers in found if readers}
