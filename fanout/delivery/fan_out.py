"""Delivering an entry and retracting it: from (entry, author) to the timelines of the author's active followers.

A small author's order is one piece of work. A large author's is handed out in *parts*, one for
each bucket of followers, which are worked off in parallel in the queue of bulk work, apart
from small authors' orders. No task pushes to more than PAGES_A_TASK pages: what is left of a
part goes to the end of that queue. Orders carry the author, never followers: the list is
read just before the push, which timelines refuse when it is stale (timelines/materialised.py). Who has too
many followers for that is not pushed but put into a few recent lists, which readers merge
(delivery/celebrities.py, delivery/recent_delivery.py).

**Parts survive their worker.** A part is recorded when its bucket was worked off to its end, by
whichever of its tasks comes there; the order is done when all are recorded. A task that is
lost takes its place in the bucket with it: the order stays open, the sweeper sends it
again, and the part begins anew. Pushing twice shows nothing twice.

For example, Ada's followers stand in 4 buckets, and her order 90 is handed out as parts 0 to 3:

1. Part 2 has 30,000 followers. Its task pushes to 12,500 and puts another one behind the others in the queue, which
   goes on above the last of them; the third, after 5,000, records the part.
2. Parts 0 and 1 are recorded, too. The worker of part 3 is killed after 8,000 followers.
3. The sweeper sends 90 again. Parts 0, 1 and 2 are recorded, so part 3 alone is handed out, from its beginning: the
   8,000 hold 90 already, and take nothing.
4. Part 3 is recorded as the last one, and the order marked done.

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

from accounts.graph import following
from fanout.delivery import celebrities, pushing, recent_delivery
from fanout.delivery.celebrities import DeliveryMode
from fanout.delivery.pushing import Push
from fanout.live import channel
from fanout.orders import figures, resending
from fanout.orders.brokers import broker_of
from fanout.orders.dispatch import enqueue_part
from fanout.orders.handlers import Context
from fanout.orders.kinds import DELIVER, RESTORE, RETRACT, OrderClosed, PoisonedOrder, entry_and_author, hashtags_in
from fanout.orders.queues import BULK
from fanout.timelines.materialised import raise_if_refused
from fanout.timelines.recents import Pulled
from fanout.timelines.restoring import lift_commands, publish_in_order
from fanout.timelines.snapshots import PushSnapshot
from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from storage.stores import dead_letters, outbox

PAGE = 12_500
"""Followers read at a time, under one snapshot: the store answers a page of as many at half the cost of five."""
PAGES_A_TASK = 1
"""12,500 followers, some 50 ms: the longest that a small order waits behind a large one, and long enough for the
millisecond that a task costs besides."""
PART_SECONDS = 30
"""A part that was handed out is not handed out again for this long, unless its attempt has ended."""


class _Pushed(NamedTuple):
    """The followers that were pushed to, counted, and above whom the rest begins: None at the bucket's end."""

    followers: int
    rest: int | None


def deliver(order: Order, context: Context) -> None:
    """Handles a DELIVER order: puts the entry where its author's followers read it, or hands that out in parts.

    Idempotent. Marks the order done when all is done. Raises `Unavailable`, and then it stays open; `OrderClosed`,
    before anything is done; and `PoisonedOrder` for malformed arguments.
    """
    _bring(order, recent_delivery.deliver, pushing.deliver, context)


def tell_hashtags(order: Order, _context: Context) -> None:
    """Handles a TELL order: tells sockets that listen to the entry's hashtags, and marks the order done.

    One round trip. Idempotent: who hears twice tells once (feed/live/pacing.py). Raises `Unavailable` and
    `PoisonedOrder`.
    """
    entry_id, _author_id = entry_and_author(order)
    timeline_node().round_trip(*channel.tagged_commands(entry_id, hashtags_in(order)))
    outbox().mark_done_soon(order.id)


def restore(order: Order, context: Context, *, in_home: bool) -> None:
    """Handles the part of a RESTORE order that puts the entry back into timelines. Errors are those of `deliver`.

    First tombstones are lifted, and every live process is told to forget the deletion. An entry that goes to no home
    needs no more: `in_home`.
    """
    entry_id, author_id = entry_and_author(order)

    def lift(snapshot: PushSnapshot, op: int, _: None) -> bool:
        message = channel.back_command(op, entry_id, author_id)
        back = publish_in_order(message, entry_id, op, timeline_shard(author_id), snapshot)
        raise_if_refused(timeline_node().round_trip(*lift_commands(entry_id, op, snapshot), back))
        if not in_home:
            timeline_node().round_trip(*channel.tagged_commands(entry_id, hashtags_in(order)))
        return True

    if pushing.with_snapshot(order, lift, read=pushing.nobody, overtaken=False) and in_home:
        _bring(order, recent_delivery.restore, pushing.restore, context)
    else:
        outbox().mark_done(order.id)


def _bring(order: Order, to_recents: Callable[[Order, Pulled], None], push: Push, context: Context) -> None:
    """Puts the order's entry where its author's followers read it now."""
    _entry_id, author_id = entry_and_author(order)
    buckets = following.follower_buckets_soon(author_id)
    known = celebrities.delivery_of(author_id)
    if known.since is not None:
        to_recents(order, (author_id, known.since))
    followers = None
    if known.mode is DeliveryMode.PULLED:
        _push_to_author(order, push)
    else:
        followers = _push_or_hand_out(order, push, buckets(), resent=context.resent)
    celebrities.reconsider(author_id, known, followers=followers)


def retract(order: Order, context: Context) -> None:
    """Handles a RETRACT order: takes the entry out of wherever `deliver` may have put it. Errors are those of it.

    First it is told to every live process; after that to the author's followers who are connected. Nothing, from where
    a later operation has overtaken the order.
    """
    entry_id, author_id = entry_and_author(order)
    if not _end_delivery(order):
        outbox().mark_done(order.id)
        return
    buckets = following.follower_buckets_soon(author_id)
    known = celebrities.delivery_of(author_id)
    if known.since is not None:
        recent_delivery.retract(order, (author_id, known.since))
    if known.may_have_been_pushed(entry_id):
        _push_or_hand_out(order, pushing.retract, buckets(), resent=context.resent)
    else:
        _push_to_author(order, pushing.retract)


def work_off_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> bool:
    """Does one bucket of a large order, from the follower above `after` on, or as much as one task may.

    Answers whether the part has ended: if not, its next task is on its way. The part that ends
    last marks the order done. Idempotent. Raises `Unavailable`, and then the order stays open, and
    `PoisonedOrder` for an order of a kind that has no parts.
    """
    if part not in outbox().finished_parts(order.id):
        rest = _push_pages(order, _push_of(order.kind), part, after=after, pages=PAGES_A_TASK).rest
        if rest is not None:
            enqueue_part(order, part, parts, after=rest, resent=resent)
            return False
    if outbox().mark_part_done(order.id, part, parts=parts):
        _mark_done(order, figures.LARGE)
    return True


def let_part_be_sent(order_id: int, part: int) -> None:
    """Lets the part be handed out again at once: to be called when an attempt at it has ended."""
    resending.release(broker_of(order_id), [_part_name(order_id, part)])


def _push_of(kind: str) -> Push:
    """Returns what a part does, which is told by its order's kind alone."""
    if kind == DELIVER:
        return pushing.deliver
    if kind == RETRACT:
        return pushing.retract
    if kind == RESTORE:
        return pushing.restore
    raise PoisonedOrder(f"no parts: {kind}")


def _push_or_hand_out(order: Order, push: Push, buckets: range, *, resent: bool) -> int | None:
    """Returns how many followers there are, if this worker has read them all."""
    if len(buckets) > 1:
        # Small orders are looked at with their followers; the parts of this one count for what its author's level says.
        if outbox().open_order(order.id) != order:
            raise OrderClosed
        _hand_out(order, len(buckets), resent=resent)
        return None
    first = _push_pages(order, push, 0, pages=1)
    if first.rest is not None:
        _hand_out(order, 1, after=first.rest, resent=resent)
        return None
    _mark_done(order, figures.SMALL)
    return first.followers


def _push_to_author(order: Order, push: Push) -> None:
    """Pushes to the author alone, since nobody else has the entry in their timeline, and marks the order done."""
    _entry_id, author_id = entry_and_author(order)
    push(order, lambda: [author_id])
    _mark_done(order, figures.PULLED)


def _mark_done(order: Order, size: str) -> None:
    """Marks an order that was pushed, without waiting for the mark, and counts how late a delivery was."""
    outbox().mark_done_soon(order.id)
    if order.kind == DELIVER:
        figures.count_done(order.args[0], size)


def _end_delivery(order: Order) -> bool:
    """Tells live processes, and keeps the entry from coming back: by its cached body, its own order, or a dead letter.

    The deletion has closed that order already; it is closed again for the case that an
    operator replayed it since. False, and nothing is told, when the retraction was overtaken.
    """
    entry_id, author_id = entry_and_author(order)

    def tell(snapshot: PushSnapshot, op: int, _: None) -> bool:
        message = channel.gone_command(order.id, entry_id, author_id)
        gone = publish_in_order(message, entry_id, op, timeline_shard(author_id), snapshot)
        answers = timeline_node().round_trip(*TWEET_BYTES.invalidate([entry_id]), gone)
        raise_if_refused(answers[-1:])
        return True

    if not pushing.with_snapshot(order, tell, read=pushing.nobody, overtaken=False):
        return False
    outbox().mark_done(entry_id)
    dead_letters().drop(entry_id)
    return True


def _hand_out(order: Order, parts: int, *, after: int = 0, resent: bool) -> None:
    """Hands out the parts that are missing and were not handed out a moment ago: an order that waits behind others
    must not multiply when it is sent again."""
    missing = sorted(set(range(parts)) - outbox().finished_parts(order.id))
    if not missing:
        outbox().mark_done(order.id)
        return
    broker = broker_of(order.id)
    is_long = resending.queue_lengths(broker, [BULK])[BULK] >= resending.QUEUE_LONG
    seconds = resending.LOST_SECONDS if is_long else PART_SECONDS
    fresh = resending.claim(broker, [_part_name(order.id, part) for part in missing], seconds=seconds)
    claimed = [part for part, is_fresh in zip(missing, fresh, strict=True) if is_fresh]
    for number, part in enumerate(claimed):
        try:
            enqueue_part(order, part, parts, after=after, resent=resent)
        except Unavailable:
            resending.release(broker, [_part_name(order.id, each) for each in claimed[number:]])
            raise


def _part_name(order_id: int, part: int) -> str:
    return f"{order_id}:{part}"


def _push_pages(order: Order, push: Push, bucket: int, *, after: int = 0, pages: int) -> _Pushed:
    """Pushes to so many pages of the bucket; the author goes with the very first."""
    _entry_id, author_id = entry_and_author(order)
    first = [author_id] if bucket == 0 and after == 0 else []
    followers = 0
    for _ in range(pages):
        page = push(order, partial(_readers, first, author_id, bucket, after))[len(first) :]
        followers += len(page)
        if len(page) < PAGE:
            return _Pushed(followers, None)
        after, first = page[-1], []
    return _Pushed(followers, after)


def _readers(first: Sequence[int], author_id: int, bucket: int, after: int) -> list[int]:
    return [*first, *following.follower_page(author_id, bucket, after=after, limit=PAGE)]
