"""For which operation an order of a tweet that was deleted and restored stands: that of the last one alone counts.

An order of either has the operation for its id, and the tweet's row names the last one (`changed_op`). Whoever works
off an order that a later operation has overtaken leaves everything to that one's order. The row is read at a
consistency at which what was acknowledged is seen; but an order may become visible a moment before the row that was
written with it, and then it waits.

**What its author deleted stays deleted**, whatever staff do before, after, or at the same moment: that deletion is a
column of its own, and overtaken by nothing. Two things follow. Timelines are told FOR_GOOD, an operation above all. And
where a restoration that knew nothing of it bears the greater operation, as both were under way at once, that one has
put rows back into listings: so whichever order is worked off last *ends the tweet again*, by a deletion of its author's
with an operation above both. For example, staff have deleted tweet 90; its author's deletion is made as 110 and a
restoration as 111, and neither sees the other:

1. The row says: deleted by its author (110), last changed by 111. Nobody is shown it.
2. The order of 111 is worked off, and sees both: it pushes nothing, and the deletion is repeated as 120. Listings and
   counts lose what 111 has put there.
3. Had it been worked off before 110 was written, 110's order would have seen both.
"""

from fanout.orders.kinds import RESTORE, entry_and_author
from fanout.timelines.materialised import FOR_GOOD
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.ports.associations import Change
from storage.ports.outbox import SETTLED_US, Order
from storage.stores import ids
from tweets.entities import Tweet
from tweets.kinds import QUOTE
from tweets.stores.port import tweet_store
from tweets.writing.after_write import retract_order, tell


def standing_of(order: Order) -> int | None:
    """Returns for which operation a RETRACT or RESTORE order stands; `standing` of the tweet that is `seen`."""
    return standing(order, seen(order))


def seen(order: Order) -> Tweet | None:
    """Returns the tweet that a RETRACT or RESTORE order is about. A store read.

    Raises `Unavailable`, and `PoisonedOrder` for malformed arguments.
    """
    entry_id, _ = entry_and_author(order)
    return tweet_store().get_many([entry_id]).get(entry_id)


def standing(order: Order, tweet: Tweet | None) -> int | None:
    """Returns for which operation the order of a tweet stands, None when it was overtaken.

    Raises `Unavailable` where what was written with the order cannot be seen yet.
    """
    return _restoration(order, tweet) if order.kind == RESTORE else _retraction(order, tweet)


def end_again(tweet: Tweet | None) -> None:
    """Deletes what its author deleted once more, if another operation has come after that.

    Costs a write and a round trip then. Raises `Unavailable`.
    """
    if tweet is None or not 0 < tweet.author_deleted_op < tweet.changed_op:
        return
    op = ids.next(above=tweet.changed_op)
    order = retract_order(op, tweet.id, tweet.author_id)
    edges = quote_edges(tweet, op=op, present=False)
    tweet_store().delete(tweet, op=op, by=tweet.author_id, order=order, edges=edges)
    tell([], order)


def quote_edges(tweet: Tweet, *, op: int, present: bool) -> list[Change]:
    """Returns the edge that quotes are counted by; written together with the quoting tweet, and its end."""
    if tweet.quote_of_id is None:
        return []
    return [Change(source=tweet.id, kind=QUOTE, target=tweet.quote_of_id, op=op, present=present)]


def _restoration(order: Order, tweet: Tweet | None) -> int | None:
    if tweet is None or tweet.changed_op < order.id:
        raise Unavailable("store")
    return order.id if tweet.changed_op == order.id and not tweet.deleted else None


def _retraction(order: Order, tweet: Tweet | None) -> int | None:
    """A row that a process of the version before has flagged names no operation: it waits for SETTLED_US, by which
    whatever was written is visible."""
    if tweet is None:
        return order.id
    if tweet.deleted_by_author:
        return FOR_GOOD
    if tweet.changed_op > order.id:
        return None
    if tweet.changed_op < order.id and now_us() - id_us(order.id) <= SETTLED_US:
        raise Unavailable("store")
    return order.id if tweet.deleted else None
