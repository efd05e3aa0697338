"""Working an order off: from (entry, author) to the timelines of the author's active followers.

A small author's order is one piece of work. An author whose followers fill several buckets
is worked off bucket by bucket, in parallel; each bucket is a *part* of the order. Orders
carry the author, never followers: the list is read just before the push, which timelines
refuse when it is stale (timelines.py). Who has too many followers for that is not pushed but
put into a few recent lists, which readers merge (celebrities.py).
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from accounts import graph
from accounts.graph import GRAPH_ORDER
from fanout import celebrities, live, presence, recents, timelines
from fanout.bodies import BODIES
from fanout.celebrities import Mode
from fanout.dispatch import enqueue_part
from fanout.live import LiveKind
from fanout.orders import BEGIN_PULLING, DELIVER, END_PULLING, RETRACT
from fanout.recents import Pulled
from fanout.timelines import OUTDATED, Note
from storage.errors import Unavailable
from storage.outbox import Order
from storage.redis import Command, timeline_node
from storage.stores import outbox

PAGE = 2_500
"""Followers read and pushed at a time: throughput no longer rises beyond it, and a page stays
under a fifth of a second."""
PUSH_TRIES = 3
"""Of a page whose push came too late; then the order waits for the sweeper."""


def work_off(order: Order) -> None:
    """Does what the order asks and marks it done, or hands its parts out. Idempotent.

    Raises `Unavailable`; the order then stays open and is sent again by the sweeper.
    """
    if order.kind == GRAPH_ORDER:
        graph.raise_versions(order.args, order.id)
        return
    if order.kind in (BEGIN_PULLING, END_PULLING):
        celebrities.carry_out(order)
        return
    entry_id, author_id = order.args
    if order.kind == RETRACT:
        timeline_node().round_trip(*BODIES.invalidate([entry_id]))
    known = celebrities.mode(author_id)
    if known.since is not None:
        _feed_recents(order, (author_id, known.since))
    followers = None
    if _is_pushed(order, known):
        followers = _push_or_hand_out(order)
    else:
        _push_to_author(order)
    if order.kind == DELIVER:
        celebrities.reconsider(author_id, known, followers=followers)


def _is_pushed(order: Order, known: Mode) -> bool:
    """Whether the order has to go to each follower's timeline."""
    return not known.unpushed if order.kind == DELIVER else known.may_be_pushed(order.args[0])


def _push_or_hand_out(order: Order) -> int | None:
    """How many followers there are, if this worker has read them all."""
    buckets = graph.follower_buckets(order.args[1])
    if len(buckets) > 1:
        _hand_out(order, len(buckets))
        return None
    followers = _push_bucket(order, 0)
    outbox().mark_done(order.id)
    return followers


def _push_to_author(order: Order) -> None:
    """Nobody else has the entry in their timeline."""
    _push_page(order, list, [order.args[1]])
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
    return [timelines.deliver_to_author_command(entry_id, author_id)]


def _feed_recents(order: Order, pulled: Pulled) -> None:
    """Puts the entry into its author's recent lists, or takes it out, and tells connected readers who merge them.

    Lists first, as in `_push`. Two or three round trips, and two more for each page of everyone connected.
    """
    for _ in range(PUSH_TRIES):
        noted = timelines.note() if order.kind == DELIVER else None
        if noted is not None and not outbox().is_open(order.id):
            return
        if _push_to_recents(order, pulled, noted):
            return
    raise Unavailable(timeline_node().name)


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
            timeline_node().round_trip(*live.publish_commands(kind, entry_id, merging))
    return True


def _merging(present: dict[int, list[int]], author_id: int) -> dict[int, list[int]]:
    """Those of the present readers, by shard, who merge the author or whose timelines cannot tell. One round trip."""
    asked = {shard: recents.merging_commands(shard, readers, author_id) for shard, readers in present.items()}
    answers = iter(timeline_node().round_trip(*(command for commands in asked.values() for command in commands)))
    found = {
        shard: recents.merging(readers, list(islice(answers, len(asked[shard])))) for shard, readers in present.items()
    }
    return {shard: readers for shard, readers in found.items() if readers}


def _push_bucket(order: Order, bucket: int) -> int:
    """Pushes to everyone in the bucket, page by page, the author with the first; how many followers they are."""
    _entry_id, author_id = order.args
    also = [author_id] if bucket == 0 else []
    after = followers = 0
    while True:
        page = _push_page(order, partial(graph.follower_page, author_id, bucket, after=after, limit=PAGE), also)
        followers += len(page)
        if len(page) < PAGE:
            return followers
        after, also = page[-1], []


def _push_page(order: Order, read: Callable[[], list[int]], also: Sequence[int]) -> list[int]:
    """Pushes to the followers that `read` answers, and `also`; answers those followers.

    For a delivery, what the list is compared with is noted before it is read; nobody is
    pushed to when the order was closed by then. If pushing came too late, all of it is done again.
    """
    for _ in range(PUSH_TRIES):
        noted = timelines.note() if order.kind == DELIVER else None
        if noted is not None and not outbox().is_open(order.id):
            return []
        followers = read()
        if _push(order, [*also, *followers], noted):
            return followers
    raise Unavailable(timeline_node().name)


def _push(order: Order, readers: list[int], noted: Note | None) -> bool:
    """One round trip for timelines and presence, a second one when somebody is connected.

    Timelines first: a socket that appears too late to be present here replays its timeline
    after it appeared, and so finds the entry there. False when the note was outdated.
    """
    shards = timelines.by_shard(readers)
    entry_id = order.args[0]
    if noted is not None:
        kind, commands = LiveKind.TWEET, timelines.deliver_commands(entry_id, shards, noted)
    else:
        kind, commands = LiveKind.DELETE, timelines.retract_commands(entry_id, shards)
    answers = timeline_node().round_trip(*commands, *presence.present_commands(shards))
    if OUTDATED in answers[: len(commands)]:
        return False
    connected = presence.present(shards, answers[len(commands) :])
    if connected:
        timeline_node().round_trip(*live.publish_commands(kind, entry_id, connected))
    return True
