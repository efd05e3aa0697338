"""Working an order off: from (entry, author) to the timelines of the author's active followers.

A small author's order is one piece of work. A large author's is handed out in *parts*, one for
each bucket of followers, which are worked off in parallel in the queue of bulk work, apart
from small authors' orders. No task pushes to more than PAGES_A_TASK pages: what is left of a
part goes to the end of that queue. Orders carry the author, never followers: the list is
read just before the push, which timelines refuse when it is stale (timelines/snapshots.py). Who has too
many followers for that is not pushed but put into a few recent lists, which readers merge
(delivery/celebrities.py, delivery/recent_delivery.py).

**Parts survive their worker.** A part is recorded when its bucket was worked off to its end, by
whichever of its tasks comes there; the order is done when all are recorded. A task that is
lost takes its place in the bucket with it: the order stays open, the sweeper sends it
again, and the part begins anew. Pushing twice shows nothing twice.

**Buckets that appear meanwhile are not among the parts,** and need not be. Whoever followed before
the tweet was written stands in a bucket of the level that is read here: levels only grow,
no edge moves, and both were written at a consistency at which this read sees them. Whoever
follows (or leaves and follows again, into another bucket) after that raises their graph
version after the edge was written, so their timeline is made anew before it is read, and
pulls the tweet, which was in the store before its order could be worked off.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from accounts.graph import follows
from accounts.graph.follows import GRAPH_ORDER
from accounts.people import purge
from accounts.people.purge import PURGE_ORDER
from fanout.delivery import celebrities, recent_delivery
from fanout.delivery.celebrities import Mode
from fanout.delivery.pushing import push_while_open, slices
from fanout.live import channel, presence
from fanout.live.channel import LiveKind
from fanout.orders import resending
from fanout.orders.dispatch import BULK, enqueue_part
from fanout.orders.kinds import BEGIN_PULLING, DELIVER, END_PULLING, RETRACT, entry_and_author
from fanout.timelines import materialised
from fanout.timelines.snapshots import PushSnapshot
from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.stores import dead_letters, outbox

PAGE = 12_500
"""Followers read at a time, under one snapshot: the store answers a page of as many at half the cost of five."""
PAGES_A_TASK = 1
"""12,500 followers, some 50 ms: the longest that a small order waits behind a large one, and long enough for the
millisecond that a task costs besides."""
PART_SECONDS = 30
"""A part that was handed out is not handed out again for this long, unless its attempt has ended."""


class _Pushed(NamedTuple):
    """How many followers were pushed to, and above whom the rest begins: None at the bucket's end."""

    followers: int
    rest: int | None


def work_off(order: Order, *, resent: bool = False) -> None:
    """Does what the order asks and marks it done, or hands its parts out. Idempotent.

    Raises `Unavailable`; the order then stays open and is sent again by the sweeper. Raises
    anything else for an order that is at fault itself (see orders/attempts.py).
    """
    if order.kind == GRAPH_ORDER:
        follows.raise_versions(order.args, order.id)
        return
    if order.kind == PURGE_ORDER:
        purge.handle(order)
        return
    if order.kind in (BEGIN_PULLING, END_PULLING):
        celebrities.handle(order)
        return
    entry_id, author_id = entry_and_author(order)
    if order.kind == RETRACT:
        _end_delivery(entry_id)
    known = celebrities.mode(author_id)
    if known.since is not None:
        recent_delivery.deliver_to_recents(order, (author_id, known.since))
    followers = None
    if _is_pushed(order, known):
        followers = _push_or_hand_out(order, resent=resent)
    else:
        _push_to_author(order)
    if order.kind == DELIVER:
        celebrities.reconsider(author_id, known, followers=followers)


def _is_pushed(order: Order, known: Mode) -> bool:
    """Whether the order has to go to each follower's timeline."""
    return not known.unpushed if order.kind == DELIVER else known.may_be_pushed(order.args[0])


def _push_or_hand_out(order: Order, *, resent: bool) -> int | None:
    """How many followers there are, if this worker has read them all."""
    buckets = follows.follower_buckets(order.args[1])
    if len(buckets) > 1:
        _hand_out(order, len(buckets), resent=resent)
        return None
    first = _push_pages(order, 0, pages=1)
    if first.rest is not None:
        _hand_out(order, 1, after=first.rest, resent=resent)
        return None
    outbox().mark_done(order.id)
    return first.followers


def _push_to_author(order: Order) -> None:
    """Nobody else has the entry in their timeline."""
    _push_page(order, list, [order.args[1]])
    outbox().mark_done(order.id)


def _end_delivery(entry_id: int) -> None:
    """Nothing brings the entry back: neither a cached body nor its own order, open or given up.

    The deletion has closed that order already; it is closed again for the case that an
    operator replayed it since.
    """
    timeline_node().round_trip(*TWEET_BYTES.invalidate([entry_id]))
    outbox().mark_done(entry_id)
    dead_letters().drop(entry_id)


def _hand_out(order: Order, parts: int, *, after: int = 0, resent: bool) -> None:
    """Only what is missing, and was not handed out a moment ago: an order that waits behind others must not
    multiply when it is sent again."""
    missing = sorted(set(range(parts)) - outbox().finished_parts(order.id))
    if not missing:
        outbox().mark_done(order.id)
        return
    is_long = resending.queue_lengths([BULK])[BULK] >= resending.QUEUE_LONG
    seconds = resending.LOST_SECONDS if is_long else PART_SECONDS
    fresh = resending.claim([_part_name(order.id, part) for part in missing], seconds=seconds)
    claimed = [part for part, is_fresh in zip(missing, fresh, strict=True) if is_fresh]
    for number, part in enumerate(claimed):
        try:
            enqueue_part(order, part, parts, after=after, resent=resent)
        except Unavailable:
            resending.release([_part_name(order.id, each) for each in claimed[number:]])
            raise


def let_part_be_sent(order_id: int, part: int) -> None:
    """To be called when an attempt at the part has ended: if it has to be handed out again, then at once."""
    resending.release([_part_name(order_id, part)])


def _part_name(order_id: int, part: int) -> str:
    return f"{order_id}:{part}"


def work_off_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> bool:
    """Does one bucket of a large order, from the follower above `after` on, or as much as one task may.

    Answers whether the part has ended: if not, its next task is on its way. The part that ends
    last marks the order done. Idempotent. Raises `Unavailable`, as `work_off` does.
    """
    if part not in outbox().finished_parts(order.id):
        rest = _push_pages(order, part, after=after, pages=PAGES_A_TASK).rest
        if rest is not None:
            enqueue_part(order, part, parts, after=rest, resent=resent)
            return False
    if outbox().mark_part_done(order.id, part, parts=parts):
        outbox().mark_done(order.id)
    return True


def deliver_to_author(order: Order, *, noted: bytes | None) -> list[Command]:
    """Commands after which a new entry, that has been written, is in its author's own timeline.

    `noted`: the generation that this process had seen before the entry was written; None for
    none, and then the timeline is made anew by its next read.
    """
    entry_id, author_id = order.args
    if noted is None:
        return [materialised.discard_command(author_id)]
    return [materialised.deliver_to_author_command(entry_id, author_id, noted)]


def _push_pages(order: Order, bucket: int, *, after: int = 0, pages: int) -> _Pushed:
    """Pushes to so many pages of the bucket; the author goes with the very first."""
    _entry_id, author_id = order.args
    also = [author_id] if bucket == 0 and after == 0 else []
    followers = 0
    for _ in range(pages):
        page = _push_page(order, partial(follows.follower_page, author_id, bucket, after=after, limit=PAGE), also)
        followers += len(page)
        if len(page) < PAGE:
            return _Pushed(followers, None)
        after, also = page[-1], []
    return _Pushed(followers, after)


def _push_page(order: Order, read: Callable[[], list[int]], also: Sequence[int]) -> list[int]:
    """Pushes to the followers that `read` answers, and `also`; answers those followers, nobody if it was closed."""

    def push(snapshot: PushSnapshot) -> list[int]:
        followers = read()
        for shards in slices([*also, *followers]):
            _push(order, shards, snapshot)
        return followers

    if order.kind == DELIVER:
        return push_while_open(order, push, closed=[])
    followers = read()
    for shards in slices([*also, *followers]):
        _retract(order, shards)
    return followers


def _push(order: Order, shards: dict[int, list[int]], snapshot: PushSnapshot) -> None:
    """Puts the entry into these readers' timelines, and tells those who are connected. Raises `StaleSnapshot`."""
    entry_id = order.args[0]
    commands = materialised.deliver_commands(entry_id, shards, snapshot)
    answers, connected = _change(commands, shards)
    materialised.raise_if_stale(answers)
    _publish(LiveKind.TWEET, entry_id, connected)


def _retract(order: Order, shards: dict[int, list[int]]) -> None:
    """Takes the entry out of these readers' timelines, and tells those who are connected."""
    entry_id = order.args[0]
    _answers, connected = _change(materialised.retract_commands(entry_id, shards), shards)
    _publish(LiveKind.DELETE, entry_id, connected)


def _change(commands: list[Command], shards: dict[int, list[int]]) -> tuple[list[int], dict[int, list[int]]]:
    """What the commands answer, and the readers who are connected, by shard. One round trip.

    Timelines first: a socket that appears too late to be present here replays its timeline
    after it appeared, and so finds the entry there.
    """
    answers = timeline_node().round_trip(*commands, *presence.look_commands(shards))
    return answers[: len(commands)], presence.seen(shards, answers[len(commands) :])


def _publish(kind: LiveKind, entry_id: int, connected: dict[int, list[int]]) -> None:
    """Two round trips at most, none when nobody is connected."""
    if connected:
        timeline_node().round_trip(*channel.publish_commands(kind, entry_id, connected))
