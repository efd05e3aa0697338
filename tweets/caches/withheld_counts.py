"""What of tweets' reactions is not counted, as it is by somebody suspended (accounts/graph/withheld.py).

What a page's tweets have withheld is looked up together, within one budget: of CHECKED_A_PAGE, each
tweet has an equal share, at most CHECKED. Of more than its share, those looked up stand for the others.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from accounts.graph import withheld as hints
from accounts.graph.withheld import checked, prune, scaled
from storage.stores import associations
from tweets.kinds import LIKE, QUOTE, RETWEET, WITHHELD, WITHHELD_TWEET
from tweets.stores.port import tweet_store

REPLY = "reply"
CHECKED_A_PAGE = 2_000
"""For ten tweets with as many as CHECKED each; more of them in one page are rare."""

_Standing = dict[int, dict[str, set[int]]]
"""Which of the sources stand, by tweet and kind of reaction."""
_Look = Callable[[Mapping[int, Sequence[int]]], _Standing]


def withheld(people: Mapping[int, int], tweets: Mapping[int, int]) -> dict[int, Counter[str]]:
    """Returns how many of the withheld reactions to each tweet stand, by kind of edge, and REPLY.

    `people` says how many likes' and retweets' authors are withheld at each, `tweets` how many replies and quotes.
    Costs nothing if none are; else a read for each tweet that has some, and for all together a round of
    concurrent reads for people, and two for tweets.
    """
    totals = {WITHHELD: _some(people), WITHHELD_TWEET: _some(tweets)}
    places = sum(len(each) for each in totals.values())
    limit = max(min(hints.CHECKED, CHECKED_A_PAGE // max(places, 1)), 1)
    less: dict[int, Counter[str]] = {}
    for kind, look in ((WITHHELD, _of_people), (WITHHELD_TWEET, _of_tweets)):
        sources = {tweet_id: checked(tweet_id, kind, limit=limit) for tweet_id in totals[kind]}
        for tweet_id, standing in (look(sources) if sources else {}).items():
            some, total = sources[tweet_id], totals[kind][tweet_id]
            counted = less.setdefault(tweet_id, Counter())
            counted.update({each: scaled(total, some, len(found), limit=limit) for each, found in standing.items()})
            if total > limit:
                stale = set(some).difference(*standing.values())
                prune(tweet_id, kind, sorted(stale), partial(_standing, look, tweet_id))
    return less


def _some(totals: Mapping[int, int]) -> dict[int, int]:
    return {tweet_id: total for tweet_id, total in totals.items() if total}


def _standing(look: _Look, tweet_id: int, sources: Sequence[int]) -> set[int]:
    return set().union(*look({tweet_id: sources})[tweet_id].values())


def _of_people(sources: Mapping[int, Sequence[int]]) -> _Standing:
    return _edges(sources, (RETWEET, LIKE))


def _of_tweets(sources: Mapping[int, Sequence[int]]) -> _Standing:
    standing = _edges(sources, (QUOTE,))
    found = tweet_store().get_many(list(dict.fromkeys(each for some in sources.values() for each in some)))
    for tweet_id, some in sources.items():
        replies = [found[each] for each in some if each in found]
        standing[tweet_id][REPLY] = {each.id for each in replies if not each.deleted and each.reply_to_id == tweet_id}
    return standing


def _edges(sources: Mapping[int, Sequence[int]], kinds: Sequence[str]) -> _Standing:
    standing: _Standing = {tweet_id: {kind: set() for kind in kinds} for tweet_id in sources}
    pairs = [(each, kind, tweet_id) for tweet_id, some in sources.items() for each in some for kind in kinds]
    for edge in associations().find_pairs(pairs):
        standing[edge.target][edge.kind].add(edge.source)
    return standing
