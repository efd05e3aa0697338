"""Which stream of the live feed a field of `Subscription` listens to, and what that tells as one of its events."""

from collections.abc import Callable, Mapping

import msgspec

from feed.doors.graphql_live import EventOut, TweetCountsOut
from feed.live.streams.hashtag import HASHTAG_STREAM
from feed.live.streams.home import HOME_STREAM
from feed.live.streams.notifications import NOTIFICATIONS_STREAM
from feed.live.streams.public import PUBLIC_STREAM
from feed.live.streams.tweet import TWEET_STREAM
from feed.live.told import CountsChanged, Frame, Gap, NotificationCame, TweetCame, TweetLeft


class Wanted(msgspec.Struct, frozen=True):
    """A stream, by the name that it has on `/ws/feed`, and the cursor to replay from; None for only what is new."""

    stream: str
    after: str | None = None


WANTED: Mapping[str, Callable[[Mapping[str, str | None]], Wanted]] = {
    "homeTimeline": lambda given: Wanted(HOME_STREAM, given.get("after")),
    "publicTimeline": lambda given: Wanted(PUBLIC_STREAM, given.get("after")),
    "notifications": lambda given: Wanted(NOTIFICATIONS_STREAM, given.get("after")),
    "hashtagTimeline": lambda given: Wanted(f"{HASHTAG_STREAM}{given['tag']}", given.get("after")),
    "tweetActivity": lambda given: Wanted(f"{TWEET_STREAM}{given['id']}", given.get("after")),
}
"""By the field's name, from the arguments that it was given."""


def event_of(frame: Frame) -> EventOut | None:
    """Returns what happened in a stream; None of what is nothing to tell."""
    match frame:
        case TweetCame():
            return EventOut(cursor=frame.cursor, tweet=frame.tweet)
        case TweetLeft():
            return EventOut(deleted_id=frame.id)
        case CountsChanged(id=tweet_id, counts=counts):
            told = TweetCountsOut(tweet_id, counts.replies, counts.retweets, counts.quotes, counts.likes)
            return EventOut(counts=told)
        case NotificationCame():
            return EventOut(cursor=frame.cursor, notification=frame.notification)
        case Gap():
            return EventOut(gap_after=frame.after)
    return None
