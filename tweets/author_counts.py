"""How many tweets someone has: counted in the store, cached."""

from storage.counts import CountCache
from storage.redis import timeline_node, user_tag
from tweets.store import tweet_store

TWEETS = CountCache(
    timeline_node,
    lambda author_id: f"{user_tag(author_id)}:tweets:{author_id}",
    lambda author_id: tweet_store().count_by_author(author_id),
)
