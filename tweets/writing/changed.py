"""Which of the orders of a tweet that was deleted and restored still counts: the one of the last operation alone.

An order of either has the operation for its id, and the tweet's row names the last one (`changed_op`). Whoever works
off an order that is not of it leaves everything to that one's order. The row is read at a consistency at which what
was acknowledged is seen; and as an order may become visible before the row that was written with it, a row of an
earlier operation overtakes nothing.
"""

from fanout.orders.kinds import entry_and_author
from storage.ports.outbox import Order
from tweets.stores.port import tweet_store


def is_overtaken(order: Order) -> bool:
    """Says of a RETRACT or RESTORE order whether its tweet has been restored or deleted by a later operation.

    A store read. Raises `Unavailable`, and `PoisonedOrder` for malformed arguments.
    """
    entry_id, _ = entry_and_author(order)
    tweet = tweet_store().get_many([entry_id]).get(entry_id)
    return tweet is not None and tweet.changed_op > order.id
