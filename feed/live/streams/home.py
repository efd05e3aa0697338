"""The home stream of one socket: what comes into, and leaves, its reader's home timeline (replaying.py has the rest).

Of entries by whom the reader follows, or by the reader, `delete` is told also where it is not known that the client has
them.
"""

from collections.abc import Sequence, Set
from functools import partial

from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility
from fanout.live.watermark import watermark as known_watermark
from feed.live.arrivals import arrivals
from feed.live.streams.missed import by_followees
from feed.live.streams.replaying import ON_SCREEN, ReplayingStream
from feed.live.streams.stream import HOME, Send, Signal, SignalKind, Topic
from feed.live.threads import housekeeping, reading
from feed.live.turns import turns
from feed.timelines.home import InHome, home_page, newest_standing, warm
from storage.spans import Kind
from storage.tracing import order_work
from storage.web.paging import Page, PageRequest
from tweets.entities import Deletion
from tweets.reading.hydration import TweetOut, hydrate
from tweets.reading.showing import Showing, showings

HOME_STREAM = "home"


class HomeStream(ReplayingStream):
    """A `Stream` (stream.py) of the viewer's home timeline."""

    def __init__(self, viewer: Viewer, send: Send) -> None:
        super().__init__(HOME_STREAM, Topic(HOME, viewer.id), viewer, send)

    async def open(self, after: int | None, watermark: int) -> None:
        """Finds where to begin, as `Stream` promises, and makes the reader's timeline if need be.

        Whoever listens is active, and frames are of what stands in their timeline.
        """
        safe = watermark or await housekeeping(known_watermark.read)
        await turns.take(self._viewer.id, partial(reading, warm, self._viewer.id))
        await self._begin_at(after, safe)

    def expect(self) -> bool:
        """As `Stream` promises. What is deleted meanwhile is told behind it (`shows`)."""
        if self._behind or self._reading:
            return False
        self._reading = True
        return True

    async def handle(self, signal: Signal) -> None:
        """Tells the client what the signal says."""
        if signal.kind is not SignalKind.TWEET:
            await super().handle(signal)
        elif not self._behind:
            self._safe = max(self._safe, signal.watermark)
            await self._show_standing(signal.entry_id)

    @order_work("live.show", lambda _self, entry_id: entry_id, Kind.CONSUMER)
    async def _show_standing(self, entry_id: int) -> None:
        """Shows what stands in the reader's timeline now: the list of readers it was pushed by may be stale.

        Read together with others who are told (arrivals.py); whoever would cost more than they do, by themselves.

        The tweet is newer than the watermark that came with it, since its order was still open.
        """
        self._behind = True
        with self._being_read():
            seen = await arrivals.seen_by(self._viewer, entry_id)
            if seen is InHome.STANDS:
                visibility = Visibility(self._viewer.id, home=True)
                seen = await reading(hydrate, [entry_id], viewer=self._viewer, visibility=visibility)
        if isinstance(seen, InHome):
            await self._catch_up()
        else:
            await self._show_read(seen)

    def _page(self, request: PageRequest) -> Page[TweetOut]:
        return home_page(self._viewer, request)

    def _standing(self) -> list[Showing]:
        return showings(newest_standing(self._viewer.id, ON_SCREEN))[::-1]

    def _unseen(self, deletions: Sequence[Deletion]) -> Set[int]:
        return by_followees(self._viewer.id, deletions)
