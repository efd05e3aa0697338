"""The home stream of one socket: replay from a cursor, then live, then whatever goes wrong.

A frame's cursor is the signal's watermark, never the tweet's own id: order of ids is order
of birth, not of visibility. Whoever resumes from it may see a tweet again, and drops it by id.
"""

from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility
from fanout.live.watermark import watermark as known_watermark
from feed.live.frames import encode
from feed.live.registry import registry
from feed.live.streams.stream import HOME, Send, Signal, SignalKind, Topic
from feed.live.threads import housekeeping, reading
from feed.timelines.home import InHome, home_page, stands_in_home, warm
from storage.web.paging import PageRequest, encode_cursor
from tweets.reading.hydration import TweetOut, hydrate

HOME_STREAM = "home"
REPLAY_PAGE = 100
REPLAY_LIMIT = 1_000
"""Tweets that a resume sends; a client that missed more is told to page (`gap`)."""


class HomeStream:
    """A `Stream` (stream.py) of what comes into, and leaves, the viewer's home timeline.

    Everything at or below `_safe` has been sent. Whatever fails with `Unavailable` leaves the
    stream *behind*: `_safe` stands still, tweets wait, and the next RESYNC replays from it.
    """

    name = HOME_STREAM

    def __init__(self, viewer: Viewer, send: Send) -> None:
        self.topic = Topic(HOME, viewer.id)
        self._viewer = viewer
        self._send = send
        self._safe = 0
        self._behind = False

    async def open(self, after: int | None, watermark: int) -> None:
        """Finds where to begin, as `Stream` promises, and makes the reader's timeline if need be.

        Whoever listens is active, and frames are of what stands in their timeline.
        """
        self._safe = watermark or await housekeeping(known_watermark.read)
        await reading(warm, self._viewer.id)
        if after is not None:
            self._safe = min(after, self._safe)
            self._behind = True

    async def begin(self) -> None:
        """Tells the client that from now on it gets what is new; and first what it has missed."""
        await self._send(encode("subscribed", stream=self.name))
        if self._behind:
            await self._catch_up()

    async def handle(self, signal: Signal) -> None:
        """Tells the client what the signal says."""
        match signal.kind:
            case SignalKind.TWEET if not self._behind:
                self._safe = max(self._safe, signal.watermark)
                await self._show(signal.entry_id)
            case SignalKind.DELETE:
                await self._send(encode("delete", stream=self.name, id=str(signal.entry_id)))
            case SignalKind.RESYNC:
                await self._catch_up()
            case SignalKind.OVERFLOW:
                self._behind = False
                await self._gap(self._safe)

    def close(self) -> None:
        """Has nothing to give back."""

    async def _show(self, entry_id: int) -> None:
        """Shows what stands in the reader's timeline now: the list of readers it was pushed by may be stale.

        The tweet is newer than the watermark that came with it, since its order was still open.
        """
        self._behind = True
        stands = await reading(stands_in_home, self._viewer.id, entry_id)
        if stands is InHome.UNKNOWN:
            await self._catch_up()
            return
        if stands is InHome.MISSING:
            self._behind = False
            return
        visibility = Visibility(self._viewer.id, home=True)
        tweets = await reading(hydrate, [entry_id], viewer=self._viewer, visibility=visibility)
        self._behind = False
        for tweet in tweets:
            await self._send_tweet(tweet)

    async def _catch_up(self) -> None:
        """Sends everything above `_safe` that is visible by now, oldest first.

        Begins no higher than the watermark, so that a cursor taken from a REST page is as
        safe to resume from as one taken from a frame.
        """
        self._behind = True
        watermark = registry.watermark or self._safe
        place = self._safe
        for _ in range(REPLAY_LIMIT // REPLAY_PAGE):
            page = await reading(home_page, self._viewer, PageRequest(limit=REPLAY_PAGE, after=place))
            for tweet in reversed(page.items):
                self._safe = max(self._safe, min(int(tweet.id), watermark))
                await self._send_tweet(tweet)
            place = page.newer if page.newer is not None else place
            self._safe = max(self._safe, min(place, watermark))
            if len(page.items) < REPLAY_PAGE and not page.cut_short:
                break
        else:
            await self._gap(self._safe)
        self._behind = False

    async def _send_tweet(self, tweet: TweetOut) -> None:
        await self._send(encode("tweet", stream=self.name, cursor=encode_cursor(self._safe), tweet=tweet))

    async def _gap(self, after: int) -> None:
        await self._send(encode("gap", stream=self.name, after=encode_cursor(after)))
