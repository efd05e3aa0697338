"""Restoring what staff deleted: an operation like any other, later than the deletion, with an order of its own.

What the store keeps of a deleted tweet is all of it (deletion is a flag), so a restoration takes the flag off and
writes the rows of its listings again, with a RESTORE order, in one write, which also closes the deletion's order. What
the author deleted stays deleted, and so does a retweet: whoever retweeted may do so again, and a second entry of the
pair must not come back (writing/retweeting.py).

**Which of the two holds.** Operations on one tweet are made above the last one, and the greatest wins in the store, in
whatever order writes arrive (tweets/stores/port.py). In Redis it wins as well: tombstones carry operations
(fanout/timelines/restoring.py), and an order that a later operation has overtaken pushes nothing
(writing/changed.py). For example, tweet 90 is deleted by 100, restored by 105 and deleted again by 110:

1. A worker is still retracting for 100 when 105 is written. The order of 105 lifts the tombstones, which then refuse
   100's commands, and what it would tell; what these took out before that, 105's puts back.
2. 110 is written while 105's worker is between two slices. The order of 110 lays tombstones, which refuse 105's.
3. The order of 105 is sent again after a minute: it was closed by 110.

**Whoever dies on the way leaves it to be completed.** Once it is written, the order has all of it done; restoring again
completes what the first has not come to, and adds nothing: no second operation, no second entry in the log.

A socket that is open is told of the tweet again as of one that arrives. Who resumes from a cursor above it is not:
it stands in their timeline, where it always stood.
"""

import structlog

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Viewer
from accounts.people.leaving import has_left
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, staff_may
from fanout.delivery import fan_out
from fanout.orders.handlers import Context
from fanout.orders.kinds import RESTORE
from fanout.timelines.materialised import discard_command
from storage.errors import Forbidden, Refused
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import ids, outbox
from tweets.caches import counts
from tweets.entities import Tweet
from tweets.reading.selectors import no_such_tweet
from tweets.stores.port import tweet_store
from tweets.writing.after_write import announced, tell
from tweets.writing.changed import end_again, quote_edges, seen, standing
from tweets.writing.posting import guards_of_change
from tweets.writing.withholding import count_or_withhold, look_at_retweets

log = structlog.get_logger(__name__)


def restore_tweet(*, tweet_id: int, viewer: Viewer, reason: str) -> None:
    """Restores a tweet that staff deleted. It can be read everywhere when this returns; in timelines as soon as its
    order was worked off, in its author's own at once. The log of staff tells of it (accounts/staff).

    Of one whose restoration is under way still, that one is completed. Raises `Forbidden` for who has not the right,
    for what staff wrote, which is superusers' to restore, and for what oneself wrote; `NotFound`; `Refused` for no
    reason, and for what is not deleted, was deleted by its author, is a retweet, or whose author is gone;
    `Unavailable`. Costs up to six SQL statements, two store reads, one store write, the author's account and one
    Redis round trip.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    author_id = tweet.author_id if tweet is not None else None
    if not (viewer.is_staff and staff_may(viewer.id, Right.RESTORE_TWEETS, of=author_id)):
        raise Forbidden("You may not restore this tweet.")
    if author_id == viewer.id:
        raise Forbidden("Nobody decides about themselves.")
    reason = staff_log.checked_reason(reason)
    if tweet is None:
        raise no_such_tweet()
    order = _unfinished(tweet)
    if order is None:
        check_restorable(tweet)
        order = _restore(tweet, viewer, reason)
    guards = [*guards_of_change(tweet), discard_command(tweet.author_id)]
    if tweet.reply_to_id is not None:
        guards += counts.invalidate([tweet.reply_to_id], reply_id=tweet.id)
    tell([], order, guards=guards)


def check_restorable(tweet: Tweet) -> None:
    """Raises `Refused` unless the tweet may be restored by whoever may restore any.

    A SQL query, and the author's account.
    """
    if not tweet.deleted:
        raise Refused("tweet_id", "It is not deleted.", code="not_deleted")
    if tweet.retweet_of_id is not None:
        raise Refused("tweet_id", "A retweet is not restored; whoever made it may retweet again.", code="retweet")
    if tweet.deleted_by_author:
        raise Refused("tweet_id", "Its author deleted it; only what staff deleted is restored.", code="by_author")
    if has_left(tweet.author_id):
        raise Refused("tweet_id", "Its author has left.", code="gone")
    if not accounts_by_id([tweet.author_id]):
        raise Refused("tweet_id", "Its author does not exist any more.", code="gone")


def handle(order: Order, context: Context) -> None:
    """Handles a RESTORE order: tells caches, has the tweet and its retweets counted, and puts it back into timelines.

    Idempotent. Errors are those of `fan_out.deliver`; `Unavailable` as well while the row that was written with the
    order cannot be seen yet.
    """
    tweet = seen(order)
    if standing(order, tweet) is None or tweet is None:
        end_again(tweet)
        outbox().mark_done(order.id)
        return
    count_or_withhold(tweet)
    timeline_node().round_trip(*guards_of_change(tweet))
    look_at_retweets(order)
    fan_out.restore(order, context, in_home=tweet.in_home)


def _unfinished(tweet: Tweet) -> Order | None:
    """The order of the tweet's restoration, while it is open; all that is owed to it stands then.

    A store read and a write, none for what is deleted.
    """
    order = outbox().finished_order(tweet.changed_op) if tweet.changed_op and not tweet.deleted else None
    return order if order is not None and order.kind == RESTORE else None


def _restore(tweet: Tweet, viewer: Viewer, reason: str) -> Order:
    with sql_or_unavailable():
        staff_log.record(
            by=viewer,
            action="restore tweet",
            subject=staff_log.tweet(tweet.id, tweet.author_id),
            before={"deleted_by": str(tweet.deleted_by)},
            after={"author": str(tweet.author_id), "text": tweet.text},
            reason=reason,
        )
    op = ids.next(above=max(tweet.id, tweet.changed_op))
    order = Order(id=op, kind=RESTORE, args=announced(tweet))
    tweet_store().restore(tweet, op=op, order=order, edges=quote_edges(tweet, op=op, present=True))
    log.info("tweet_restored", tweet_id=tweet.id, by_id=viewer.id, order_id=op)
    now = tweet_store().get_many([tweet.id]).get(tweet.id)
    if now is not None and now.deleted:
        check_restorable(now)
        raise Refused("tweet_id", "It was deleted again at the same moment.", code="gone")
    return order
