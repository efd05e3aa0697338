"""Tweets that are written long after their ids were made: the order that tells the indexer of them.

A request with an idempotency key that failed may be repeated a day later, and posts under the id it was given first.
The indexer reads orders by their ids and has long passed that one (indexer.py). So such a tweet has an order of now
besides, written before it. No worker has anything to do about it, so it is closed from the beginning.
"""

from storage.ids.snowflakes import id_us, now_us
from storage.ports.outbox import SETTLED_US, Order
from storage.stores import ids, outbox
from tweets.search.guarded import search_is_on

INDEX_ORDER = "index"
"""The kind of order whose arg is a tweet to be indexed. No worker knows it."""
LATE_US = SETTLED_US // 2
"""The indexer goes back by SETTLED_US; the other half is for the write."""


def announce_late(tweet_id: int) -> None:
    """Tells the indexer of a tweet that is about to be written, if its id is old. Two store writes for such a tweet;
    raises `Unavailable`.

    The mark goes first: whoever dies in between leaves one of no order, and no order that is open.
    """
    if now_us() - id_us(tweet_id) < LATE_US or not search_is_on():
        return
    order = Order(ids.next(), INDEX_ORDER, (tweet_id,))
    outbox().mark_done(order.id)
    outbox().add(order)
