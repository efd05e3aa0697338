"""Tweets that are written long after their ids were made: the order that tells the indexer of them.

A request with an idempotency key that failed may be repeated a day later, and posts under the id it was given first.
The indexer reads orders by their ids and has long passed that one (indexer.py). So such a tweet has an order of now
besides, written before it.
"""

from fanout.orders.handlers import Context
from fanout.orders.kinds import PoisonedOrder
from storage.ids.snowflakes import id_us, now_us
from storage.ports.outbox import SETTLED_US, Order
from storage.stores import ids, outbox
from tweets.search.guarded import search_is_on

INDEX_ORDER = "index"
"""The kind of order whose arg is a tweet to be indexed. There is nothing to be done about it by a worker."""
LATE_US = SETTLED_US // 2
"""The indexer goes back by SETTLED_US; the other half is for the write."""


def announce_late(tweet_id: int) -> Order | None:
    """Tells the indexer of a tweet that is about to be written, if its id is old; returns the order, to be sent to a
    worker then. A store write for such a tweet; raises `Unavailable`."""
    if now_us() - id_us(tweet_id) < LATE_US or not search_is_on():
        return None
    order = Order(ids.next(), INDEX_ORDER, (tweet_id,))
    outbox().add(order)
    return order


def handle(order: Order, _context: Context) -> None:
    """Closes the order: it is there to be read. Raises `PoisonedOrder` for other arguments, and `Unavailable`."""
    if len(order.args) != 1:
        raise PoisonedOrder(f"{INDEX_ORDER} takes a tweet, not {len(order.args)} arguments")
    outbox().mark_done(order.id)
