"""What the search tells Prometheus.

search_indexed_after_seconds    from a tweet's birth until the index had it, of those that were new to everybody; of
                                retweets, and of what was deleted before, nothing
search_lag_seconds              how far the indexer is behind, of the oldest order if it never ran; 0 while it keeps up.
                                From the store, at a scrape
search_rebuild_wanted           1 once `manage.py index_tweets` has to fill a gap (gaps.py). Likewise
search_seconds                  a page of what was found
"""

from collections.abc import Iterable

from prometheus_client import Histogram

from storage.ids.snowflakes import MAX_ID, id_us, now_us
from storage.ports.outbox import SETTLED_US
from storage.ports.places import SEARCH
from storage.stores import outbox, places

INDEXED_AFTER = Histogram(
    "search_indexed_after_seconds",
    "From a tweet's birth until the index had it.",
    buckets=(0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60),
)
SEARCH_SECONDS = Histogram(
    "search_seconds",
    "A page of tweets that were searched for.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
USUAL_US = SETTLED_US + 30_000_000
"""The durable place is so far behind while the indexer keeps up."""


def count_indexed(tweet_ids: Iterable[int]) -> None:
    """Counts tweets that the index has as of now."""
    now = now_us()
    for each in tweet_ids:
        INDEXED_AFTER.observe(max(now - id_us(each), 0) / 1_000_000)


def lag_seconds() -> float:
    """Returns how far the indexer is behind, beyond what it always is; behind the oldest order, if it has never run.

    A store read; then a page of orders besides. Raises `Unavailable`.
    """
    place = places().place(SEARCH) or _oldest_order()
    return max(now_us() - id_us(place) - USUAL_US, 0) / 1_000_000 if place else 0.0


def _oldest_order() -> int:
    """Its id; 0 without one. Discarding keeps orders for an hour that nobody has read, so that is the most."""
    orders = outbox().orders_between(after=0, before=MAX_ID, limit=100)
    return orders[0].id if orders else 0
