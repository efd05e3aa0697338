"""The streams that clients can subscribe to, by the names that they write."""

from accounts.entities import Viewer
from feed.live.streams.hashtag import HASHTAG_STREAM, HashtagStream
from feed.live.streams.home import HOME_STREAM, HomeStream
from feed.live.streams.notifications import NOTIFICATIONS_STREAM, NotificationsStream
from feed.live.streams.public import PUBLIC_STREAM, PublicStream
from feed.live.streams.stream import Send, Stream, StreamFactory
from feed.live.streams.tweet import TWEET_STREAM, TweetStream
from storage.errors import BadRequest
from storage.web.rest import parse_id

STREAMS: dict[str, StreamFactory] = {
    HOME_STREAM: HomeStream,
    PUBLIC_STREAM: PublicStream,
    NOTIFICATIONS_STREAM: NotificationsStream,
}


def make_stream(name: str, viewer: Viewer, send: Send) -> Stream:
    """Returns a stream of that name, not opened yet. Raises `BadRequest` when there is none, or for a malformed id
    or hashtag."""
    if name.startswith(TWEET_STREAM):
        return TweetStream(viewer, send, parse_id(name.removeprefix(TWEET_STREAM)))
    if name.startswith(HASHTAG_STREAM):
        return HashtagStream(viewer, send, name.removeprefix(HASHTAG_STREAM))
    factory = STREAMS.get(name)
    if factory is None:
        raise BadRequest("There is no such stream.", code="unknown_stream")
    return factory(viewer, send)
