"""How many tweets someone has: counted in the store, cached."""

from storage.counts import CountCache
from storage.redis import timeline_node
from tweets.store import tweet_store

TWEETS = CountCache(
    timeline_node,
    "tweets",
    lambda author_id: tweet_store().count_by_author(author_id),
)
