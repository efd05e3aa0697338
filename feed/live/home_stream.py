"""The home stream of one socket: replay from a cursor, then live, then whatever goes wrong.

A frame's cursor is the signal's watermark, never the tweet's own id: order of ids is order
of birth, not of visibility. Whoever resumes from it may see a tweet again, and drops it by id.
"""

from collections.abc import Awaitable, Callable

from accounts.entities import Viewer
from fanout import live
from feed.home import home_page
from feed.live.frames import encode
from feed.live.listener import in_thread
from feed.live.registry import Signal, SignalKind, registry
from storage.paging import PageRequest, encode_cursor
from tweets.hydration import TweetView, hydrate

STREAM = "home"
REPLAY_PAGE = 100
REPLAY_LIMIT = 1_000
"""Tweets that a resume sends; a client that missed more is told to page (`gap`)."""

Send = Callable[[str], Awaitable[None]]


class HomeStream:
    """Belongs to one socket's pump; its methods are awaited one after the other."""

    def __init__(self, viewer: Viewer, send: Send) -> None:
        self._viewer = viewer
        self._send = send
        self._safe = 0

    async def start(self, after: int | None) -> None:
        """From now on only what is new; or first everything above `after`."""
        self._safe = registry.watermark or await in_thread(live.watermark.read)
        if after is not None:
            await self.replay(after)

    async def replay(self, after: int) -> None:
        """Everything above `after` that is visible by now, oldest first.

        Begins no higher than the watermark, so that a cursor taken from a REST page is as
        safe to resume from as one taken from a frame.
        """
        watermark = registry.watermark or self._safe
        place = min(after, watermark)
        for _ in range(REPLAY_LIMIT // REPLAY_PAGE):
            page = await in_thread(home_page, self._viewer, PageRequest(limit=REPLAY_PAGE, after=place))
            for tweet in reversed(page.items):
                await self._send_tweet(tweet, min(int(tweet.id), watermark))
            place = page.newer if page.newer is not None else place
            if len(page.items) < REPLAY_PAGE:
                self._safe = max(self._safe, min(place, watermark))
                return
        await self._gap(place)

    async def handle(self, signal: Signal) -> None:
        """Tells the client what the signal says."""
        match signal.kind:
            case SignalKind.TWEET:
                for tweet in await in_thread(self._visible, signal.entry_id):
                    await self._send_tweet(tweet, signal.watermark)
            case SignalKind.DELETE:
                await self._send(encode("delete", stream=STREAM, id=str(signal.entry_id)))
            case SignalKind.RESYNC:
                await self.replay(self._safe)
            case SignalKind.OVERFLOW:
                await self._gap(self._safe)
        self._safe = max(self._safe, signal.watermark)

    def _visible(self, entry_id: int) -> list[TweetView]:
        return hydrate([entry_id], viewer=self._viewer)

    async def _send_tweet(self, tweet: TweetView, watermark: int) -> None:
        await self._send(encode("tweet", stream=STREAM, cursor=encode_cursor(watermark), tweet=tweet))

    async def _gap(self, after: int) -> None:
        await self._send(encode("gap", stream=STREAM, after=encode_cursor(after)))
