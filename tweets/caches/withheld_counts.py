"""What of a tweet's reactions is not counted, as it is by somebody suspended (accounts/graph/withheld.py)."""

from collections import Counter
from collections.abc import Mapping

from accounts.graph.withheld import checked, scaled
from storage.stores import associations
from tweets.kinds import LIKE, QUOTE, RETWEET, WITHHELD
from tweets.stores.port import tweet_store

REPLY = "reply"
MARKS = (RETWEET, QUOTE, LIKE)


def withheld(totals: Mapping[int, int]) -> dict[int, Counter[str]]:
    """Returns how many of the withheld reactions to each tweet stand, by kind of edge, and REPLY.

    `totals` says how many are withheld at each. Costs nothing for a tweet of which none are, else
    three reads.
    """
    return {tweet_id: _at(tweet_id, total) for tweet_id, total in totals.items() if total}


def _at(tweet_id: int, total: int) -> Counter[str]:
    some = checked(tweet_id, WITHHELD)
    standing = Counter(
        edge.kind for edge in associations().find_pairs([(each, kind, tweet_id) for each in some for kind in MARKS])
    )
    replies = tweet_store().get_many(some).values()
    standing[REPLY] = sum(not reply.deleted and reply.reply_to_id == tweet_id for reply in replies)
    return Counter({kind: scaled(total, some, count) for kind, count in standing.items()})
