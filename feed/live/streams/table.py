"""The streams that clients can subscribe to, by the names that they write."""

from accounts.entities import Viewer
from feed.live.streams.home import HOME_STREAM, HomeStream
from feed.live.streams.stream import Send, Stream, StreamFactory
from storage.errors import BadRequest

STREAMS: dict[str, StreamFactory] = {HOME_STREAM: HomeStream}


def make_stream(name: str, viewer: Viewer, send: Send) -> Stream:
    """Returns a stream of that name, not opened yet. Raises `BadRequest` when there is none."""
    factory = STREAMS.get(name)
    if factory is None:
        raise BadRequest("There is no such stream.", code="unknown_stream")
    return factory(viewer, send)
