"""Likes and bookmarks: edges from a person to a tweet, and nothing else.

All are idempotent, act on the original when they are given a retweet, and answer the id of the
tweet that they acted on. They raise `NotFound` when it is gone or must not be known, and
`Unavailable`. Each costs two reads of the tweet, one of the edge, a write if there is something to
change, and two Redis round trips. They work while Redis is down.
"""

from collections.abc import Sequence

from accounts.entities import Viewer
from storage import stores
from storage.ports.associations import Change
from storage.redis.reads import Command
from tweets.caches import counts, marks
from tweets.kinds import BOOKMARK, LIKE
from tweets.reading.selectors import original_tweet
from tweets.writing.after_write import tell


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


def tell_marked(
    viewer_id: int,
    kind: str,
    tweet_id: int,
    *,
    made: bool,
    marks_version: bytes | None,
    fills: Sequence[Command] = (),
    guards: Sequence[Command] = (),
) -> None:
    """Tells the viewer's marks and the tweet's counts, and what else is given (writing/after_write.py).

    One round trip; a store write if Redis does not answer.
    """
    counted = counts.invalidate([tweet_id]) if kind != BOOKMARK else []
    command = marks.changed(viewer_id, kind, tweet_id, made=made, marks_version=marks_version)
    if not tell([command, *fills], guards=[*counted, *guards]):
        marks.untold(viewer_id)
