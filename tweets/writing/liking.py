"""Likes and bookmarks: edges from a person to a tweet, and nothing else.

All are idempotent, act on the original when they are given a retweet, and work while Redis is down.
They raise `Unavailable`.

**Making a mark** answers the id of the tweet that it acted on, and raises `NotFound` when that is gone or must
not be known. Two reads of the tweet, one of the edge, a write if there is something to change, and two
Redis round trips.

**Taking one back** acts on the person's own edge, whatever became of the tweet or its author: nobody's block,
suspension or deletion makes a mark permanent, and what nobody marked is unmarked already. One read of the
tweet, which tells what a retweet retweets, one of the edge, and the rest alike. What may be shown
after it is for `tweets.reading.selectors.undone_out` to say.
"""

from accounts.entities import Viewer
from accounts.graph.notifications import NotificationType, notify_order
from storage import stores
from storage.ports.associations import Change
from tweets.caches import marks
from tweets.kinds import BOOKMARK, LIKE
from tweets.reading.selectors import marked_id, original_tweet
from tweets.writing.after_write import tell_marked


def like(*, viewer: Viewer, tweet_id: int) -> int:
    """Likes the tweet: counted and listed when this returns."""
    return _mark(viewer, LIKE, tweet_id)


def unlike(*, viewer: Viewer, tweet_id: int) -> None:
    """Takes a like back."""
    _unmark(viewer, LIKE, tweet_id)


def bookmark(*, viewer: Viewer, tweet_id: int) -> int:
    """Keeps the tweet among the viewer's bookmarks, which nobody else sees."""
    return _mark(viewer, BOOKMARK, tweet_id)


def unbookmark(*, viewer: Viewer, tweet_id: int) -> None:
    """Takes it out again."""
    _unmark(viewer, BOOKMARK, tweet_id)


def _mark(viewer: Viewer, kind: str, tweet_id: int) -> int:
    tweet = original_tweet(tweet_id, viewer)
    told = tweet.author_id if kind == LIKE else None
    _set(viewer, kind, tweet.id, made=True, told=told)
    return tweet.id


def _unmark(viewer: Viewer, kind: str, tweet_id: int) -> None:
    _set(viewer, kind, marked_id(tweet_id), made=False)


def _set(viewer: Viewer, kind: str, tweet_id: int, *, made: bool, told: int | None = None) -> None:
    """Tells Redis also when nothing changes: whoever changed it may not have come so far. `told` is who is notified."""
    marks_version, order = marks.version(viewer.id), None
    [last] = stores.associations().last_changes([(viewer.id, kind, tweet_id)])
    if last.present != made:
        op = stores.ids.next(above=last.op)
        if told is not None:
            order = notify_order(viewer.id, tweet_id, [(NotificationType.LIKE, told)], order_id=op)
        change = Change(source=viewer.id, kind=kind, target=tweet_id, op=op, present=made)
        stores.associations().apply([change], order)
    elif not last.op:
        return
    tell_marked(viewer.id, kind, tweet_id, made=made, marks_version=marks_version, order=order)
