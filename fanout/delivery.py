"""Working an order off: from (entry, author) to the timelines of the author's active followers.

A small author's order is one piece of work. An author whose followers fill several buckets
is worked off bucket by bucket, in parallel; each bucket is a *part* of the order. Orders
carry the author, never followers: the list is read just before the push.
"""

from collections.abc import Iterator

from accounts import graph
from accounts.graph import GRAPH_ORDER
from fanout import live, presence, timelines
from fanout.bodies import BODIES
from fanout.dispatch import enqueue_part
from fanout.live import LiveKind
from fanout.orders import DELIVER, RETRACT
from storage.outbox import Order
from storage.redis import Command, timeline_node
from storage.stores import outbox

PAGE = 2_500
"""Followers read and pushed at a time: throughput no longer rises beyond it, and a page stays
under a fifth of a second."""


def work_off(order: Order) -> None:
    """Does what the order asks and marks it done, or hands its parts out. Idempotent.

    Raises `Unavailable`; the order then stays open and is sent again by the sweeper.
    """
    if order.kind == GRAPH_ORDER:
        graph.raise_versions(order.args, order.id)
        return
    entry_id, author_id = order.args
    if order.kind == RETRACT:
        timeline_node().round_trip(*BODIES.invalidate([entry_id]))
    buckets = graph.follower_buckets(author_id)
    if len(buckets) > 1:
        _hand_out(order, len(buckets))
        return
    _push_bucket(order, 0)
    outbox().mark_done(order.id)


def _hand_out(order: Order, parts: int) -> None:
    """Only what is missing: an order that waits behind others must not multiply when it is sent again."""
    missing = set(range(parts)) - outbox().finished_parts(order.id)
    for part in sorted(missing):
        enqueue_part(order, part, parts)
    if not missing:
        outbox().mark_done(order.id)


def work_off_part(order: Order, part: int, parts: int) -> None:
    """Does one bucket of a large order; the part that ends last marks the order done. Idempotent."""
    if part not in outbox().finished_parts(order.id):
        _push_bucket(order, part)
    if outbox().mark_part_done(order.id, part, parts=parts):
        outbox().mark_done(order.id)


def deliver_to_author(order: Order) -> list[Command]:
    """Commands that put a new entry into its author's own timeline at once."""
    entry_id, author_id = order.args
    return timelines.deliver_commands(entry_id, timelines.by_shard([author_id]))


def _push_bucket(order: Order, bucket: int) -> None:
    _entry_id, author_id = order.args
    if bucket == 0:
        _push(order, [author_id])
    for page in _follower_pages(author_id, bucket):
        _push(order, page)


def _follower_pages(author_id: int, bucket: int) -> Iterator[list[int]]:
    after = 0
    while page := graph.follower_page(author_id, bucket, after=after, limit=PAGE):
        yield page
        after = page[-1]
        if len(page) < PAGE:
            return


def _push(order: Order, readers: list[int]) -> None:
    """One round trip for timelines and presence, a second one when somebody is connected.

    Timelines first: a socket that appears too late to be present here replays its timeline
    after it appeared, and so finds the entry there.
    """
    shards = timelines.by_shard(readers)
    commands = {DELIVER: timelines.deliver_commands, RETRACT: timelines.retract_commands}[order.kind]
    kind = {DELIVER: LiveKind.TWEET, RETRACT: LiveKind.DELETE}[order.kind]
    entry_id = order.args[0]
    answers = timeline_node().round_trip(*commands(entry_id, shards), *presence.present_commands(shards))
    connected = presence.present(shards, answers[-len(shards) :])
    if connected:
        timeline_node().round_trip(*live.publish_commands(kind, entry_id, connected))
