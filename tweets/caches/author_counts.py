"""How many tweets someone has: counted in the store, cached."""

from storage.redis.count_cache import CountCache
from storage.redis.node import timeline_node
from tweets.stores.port import tweet_store

TWEETS_BY_AUTHOR = CountCache(
    timeline_node,
    "tweets",
    lambda author_id: tweet_store().count_by_author(author_id),
)
