"""How many tweets someone has, as their list shows it to a stranger: counted in the store, cached.

Retweets whose original is deleted, or whose author is suspended, are left out (accounts/graph/withheld.py). Who
retweets themselves has two entries and is counted two, though a page that holds both shows the tweet once.
"""

from collections.abc import Sequence

from accounts.graph.withheld import Lead, withheld_of
from storage.redis.count_cache import CountCache
from storage.redis.node import timeline_node
from storage.stores import associations
from tweets.kinds import WITHHELD_ENTRY
from tweets.stores.port import tweet_store


def _count(authors: Sequence[int]) -> dict[int, int]:
    totals = associations().count_sources_many(authors, (WITHHELD_ENTRY,))[WITHHELD_ENTRY]
    withheld = withheld_of(WITHHELD_ENTRY, totals, _there)
    counted = tweet_store().count_by_authors(authors)
    return {each: max(counted[each] - withheld[each], 0) for each in authors}


def _there(leads: Sequence[Lead]) -> list[Lead]:
    tweets = tweet_store().get_many(list({entry for entry, _ in leads}))
    return [lead for lead in leads if lead[0] in tweets and not tweets[lead[0]].deleted]


TWEETS_BY_AUTHOR = CountCache(timeline_node, "tweets", _count)
