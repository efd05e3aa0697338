"""How many tweets someone has, as their list shows it to a stranger: counted in the store, cached.

Retweets whose original is deleted, or whose author is suspended, are left out (accounts/graph/withheld.py). Who
retweets themselves has two entries and is counted two, though a page that holds both shows the tweet once.
"""

from collections.abc import Sequence

from accounts.graph.withheld import count_standing
from storage.redis.count_cache import CountCache
from storage.redis.node import timeline_node
from storage.stores import associations
from tweets.kinds import WITHHELD_ENTRY
from tweets.stores.port import tweet_store


def _count(author_id: int) -> int:
    total = associations().count_sources(author_id, WITHHELD_ENTRY)
    withheld = count_standing(author_id, WITHHELD_ENTRY, total, _there)
    return max(tweet_store().count_by_author(author_id) - withheld, 0)


def _there(entries: Sequence[int]) -> int:
    return sum(not entry.deleted for entry in tweet_store().get_many(entries).values())


TWEETS_BY_AUTHOR = CountCache(timeline_node, "tweets", _count)
