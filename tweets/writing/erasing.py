"""Erasing what somebody who has left wrote and marked: steps (accounts/people/erasing.py).

Tweets are deleted as by their author, which is final, so counts, threads, timelines and sockets hear of it as of any
deletion; their words, which a deletion leaves, go with it. What is left of a tweet is its number, whose it was and
what it answered: a thread keeps its shape, and a write that comes late finds it deleted.
"""

from collections.abc import Sequence

from accounts.graph.erasing import Remove, edge_step
from accounts.people.erasing import Piece, Step
from storage import stores
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import Association, Change, End
from tweets.caches import counts
from tweets.entities import Tweet
from tweets.kinds import BOOKMARK, LIKE, RETWEET, WITHHELD, WITHHELD_ENTRY
from tweets.stores.port import tweet_store
from tweets.writing.after_write import tell
from tweets.writing.posting import erase_tweet
from tweets.writing.retweeting import undo_retweet

PAGE = 20
"""Tweets of a piece: each is two writes, and a round trip to Redis."""


def _erase_tweets(person_id: int, place: int) -> Piece:
    """What is listed without a row, or is deleted already, as by a write that was cut off, leaves the listings too."""
    ids = tweet_store().by_author(person_id, replies=True, before=place or MAX_ID, limit=PAGE)
    found = tweet_store().get_many(ids) if ids else {}
    for each in ids:
        tweet = found.get(each)
        if tweet is None or tweet.deleted:
            _unlist(tweet or Tweet(id=each, author_id=person_id, text="", conversation_id=each, in_home=True))
        elif tweet.retweet_of_id is not None:
            undo_retweet(author_id=person_id, original_id=tweet.retweet_of_id, by=person_id)
        else:
            erase_tweet(tweet)
    return Piece(len(ids), ids[-1] if len(ids) == PAGE else None)


def _unlist(tweet: Tweet) -> None:
    """Nobody is told: nobody could see it."""
    op = stores.ids.next(above=max(tweet.id, tweet.changed_op))
    tweet_store().delete(tweet, op=op, by=tweet.author_id, order=None, erase=True)


def _has_tweets(person_id: int) -> bool:
    return bool(tweet_store().by_author(person_id, replies=True, limit=1))


def _unlike(edges: Sequence[Association]) -> None:
    _remove(edges)
    tell([], guards=counts.invalidate([edge.target for edge in edges]))


def _undo(edges: Sequence[Association]) -> None:
    for edge in edges:
        undo_retweet(author_id=edge.source, original_id=edge.target, by=edge.source)


def _remove(edges: Sequence[Association]) -> None:
    """Of what is not counted, or only where something else stands (accounts/graph/withheld.py)."""
    changes = [Change(each.source, each.kind, each.target, stores.ids.next(above=each.op), False) for each in edges]
    stores.associations().apply(changes)


def _step(name: str, kind: str, remove: Remove, end: End = End.SOURCE) -> Step:
    return edge_step(name, kind, end, remove)


TWEET_STEPS: Sequence[Step] = (
    Step("tweets", _erase_tweets, _has_tweets),
    _step("retweets", RETWEET, _undo),
    _step("likes", LIKE, _unlike),
    _step("bookmarks", BOOKMARK, _remove),
    _step("withheld from tweets", WITHHELD, _remove),
    _step("withheld retweets", WITHHELD_ENTRY, _remove, End.TARGET),
)
