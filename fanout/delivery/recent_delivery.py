"""Putting a pulled author's entry into the recent lists, and telling connected readers who merge them."""

from itertools import islice

from fanout.delivery.pushing import push_noted
from fanout.live import channel, presence
from fanout.live.channel import LiveKind
from fanout.timelines import recents
from fanout.timelines.materialised import OUTDATED, Note
from fanout.timelines.recents import Pulled
from storage.ports.outbox import Order
from storage.redis.node import timeline_node


def deliver_to_recents(order: Order, pulled: Pulled) -> None:
    """Puts the entry into its author's recent lists, or takes it out, and tells connected readers who merge them.

    Lists first, as with timelines (delivery/fan_out.py). Two or three round trips, and two more for each
    page of everyone connected. Nothing when the order was closed meanwhile. Raises `Unavailable`.
    """
    push_noted(order, lambda noted: _push_to_recents(order, pulled, noted) or None)


def _push_to_recents(order: Order, pulled: Pulled, noted: Note | None) -> bool:
    """False when the note was outdated."""
    author_id, entry_id = pulled[0], order.args[0]
    if noted is not None:
        kind, commands = LiveKind.TWEET, recents.deliver_commands(entry_id, pulled, noted)
    else:
        kind, commands = LiveKind.DELETE, recents.retract_commands(entry_id, pulled)
    if OUTDATED in timeline_node().round_trip(*commands):
        return False
    for page in presence.everyone():
        merging = _merging(page, author_id) if page else {}
        if merging:
            timeline_node().round_trip(*channel.publish_commands(kind, entry_id, merging))
    return True


def _merging(present: dict[int, list[int]], author_id: int) -> dict[int, list[int]]:
    """Those of the present readers, by shard, who merge the author or whose timelines cannot tell. One round trip."""
    asked = {shard: recents.merging_commands(shard, readers, author_id) for shard, readers in present.items()}
    answers = iter(timeline_node().round_trip(*(command for commands in asked.values() for command in commands)))
    found = {
        shard: recents.merging(readers, list(islice(answers, len(asked[shard])))) for shard, readers in present.items()
    }
    return {shard: readers for shard, readers in found.items() if readers}
