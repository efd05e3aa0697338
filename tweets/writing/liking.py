"""Likes and bookmarks: edges from a person to a tweet, and nothing else.

All are idempotent, act on the original when they are given a retweet, and answer the id of the
tweet that they acted on. They raise `NotFound` when it is gone or must not be known, and
`Unavailable`. Each costs two reads of the tweet, one of the edge, a write if there is something to
change, and two Redis round trips. They work while Redis is down.
"""

from accounts.entities import Viewer
from storage import stores
from storage.ports.associations import Change
from tweets.caches import marks
from tweets.kinds import BOOKMARK, LIKE
from tweets.reading.selectors import original_tweet
from tweets.writing.after_write import tell_marked


def like(*, viewer: Viewer, tweet_id: int) -> int:
    """Likes the tweet: counted and listed when this returns."""
    return _mark(viewer, LIKE, tweet_id, made=True)


def unlike(*, viewer: Viewer, tweet_id: int) -> int:
    """Takes a like back."""
    return _mark(viewer, LIKE, tweet_id, made=False)


def bookmark(*, viewer: Viewer, tweet_id: int) -> int:
    """Keeps the tweet among the viewer's bookmarks, which nobody else sees."""
    return _mark(viewer, BOOKMARK, tweet_id, made=True)


def unbookmark(*, viewer: Viewer, tweet_id: int) -> int:
    """Takes it out again."""
    return _mark(viewer, BOOKMARK, tweet_id, made=False)


def _mark(viewer: Viewer, kind: str, tweet_id: int, *, made: bool) -> int:
    tweet = original_tweet(tweet_id, viewer)
    marks_version = marks.version(viewer.id)
    [last] = stores.associations().last_changes([(viewer.id, kind, tweet.id)])
    if last.present != made:
        op = stores.ids.next(above=last.op)
        stores.associations().apply([Change(source=viewer.id, kind=kind, target=tweet.id, op=op, present=made)])
    tell_marked(viewer.id, kind, tweet.id, made=made, marks_version=marks_version)
    return tweet.id
