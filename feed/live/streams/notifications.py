"""The stream of what one is notified of: each notification as it comes, and again whenever it happens again.

What is told by fan-out only says that there is something, at a pace (pacing.py): then all that stands above `_safe` is
read, as REST shows it, and sent but for what was sent before. So a notification that moved, or that was told twice, or
of which a signal was lost, is read where it stands now; and a replay is the same as what goes live.

**Cursors** are watermarks, as of the other streams (replaying.py): a notice stands at the id of its order, which holds
the watermark below it until it was told. What is hidden, deleted or undone leaves without a word.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence, Set
from functools import partial

from accounts.entities import Viewer
from fanout.live.channel import news_channel
from fanout.live.figures import GAPS, GapCause
from fanout.live.watermark import watermark as known_watermark
from feed.live.channels import channels
from feed.live.frames import OverQuota
from feed.live.quota import quota
from feed.live.registry import registry
from feed.live.streams.replaying import REPLAY_LIMIT, REPLAY_PAGE
from feed.live.streams.shown import Shown
from feed.live.streams.stream import NOTIFICATIONS, Send, Signal, SignalKind, Topic
from feed.live.threads import housekeeping, reading
from feed.live.told import Frame, Gap, NotificationCame, Subscribed
from feed.live.turns import turns
from feed.notifications.groups import NotificationOut
from feed.notifications.pages import notifications_page
from storage.errors import StillSearching
from storage.web.paging import Page, PageRequest, encode_cursor

NOTIFICATIONS_STREAM = "notifications"
REMEMBERED = 2_000
"""Notifications above the watermark that are known to have been sent. Of more some are sent twice: their ids say so."""


class NotificationsStream:
    """A `Stream` (stream.py) of the viewer's notifications."""

    def __init__(self, viewer: Viewer, send: Send) -> None:
        self.name = NOTIFICATIONS_STREAM
        self.topic = Topic(NOTIFICATIONS, viewer.id)
        self.wanted = True
        self._viewer = viewer
        self._send = send
        self._safe = 0
        self._resumes = False
        self._sent: OrderedDict[int, None] = OrderedDict()
        """Places above `_safe` that the client has been sent, or that were there before."""
        self._hears = False

    async def open(self, after: int | None, watermark: int) -> None:
        """Finds where to begin, once the process hears of the viewer's notifications."""
        self._hears = True
        await channels.hear(news_channel(self._viewer.id))
        self._safe = watermark or await housekeeping(known_watermark.read)
        self._resumes = after is not None
        if after is not None:
            self._safe = min(after, self._safe)
        else:
            self._know((await self._read(self._safe)).places)

    async def begin(self) -> None:
        """Tells the client that from now on it gets what is new; and first what it has missed."""
        await self._send(Subscribed(self.name))
        if self._resumes:
            await self._catch_up(GapCause.RESUME)

    async def handle(self, signal: Signal) -> None:
        """Tells the client what there is by now, whatever the signal says of what came; SKIPPED says no more than the
        TWEETS behind it."""
        match signal.kind:
            case SignalKind.TWEETS:
                await self._catch_up(GapCause.PACE, signal.watermark)
            case SignalKind.RESYNC:
                await self._catch_up(GapCause.RESYNC)
            case SignalKind.OVERFLOW:
                await self._catch_up(GapCause.OVERFLOW)

    def expect(self) -> bool:
        """As `Stream` promises: told by its pump only."""
        return False

    def show(self, shown: Shown, watermark: int) -> Sequence[Frame]:
        """As `Stream` promises; never expected."""
        return []

    def shows(self, tweet_id: int) -> bool:
        """As `Stream` promises: clients are told of no deletion here, and look at the tweets' own streams."""
        return False

    def shows_any_by(self, authors: Set[int]) -> bool:
        """The same."""
        return False

    def close(self) -> None:
        """Hears of notifications no more."""
        if self._hears:
            self._hears = False
            channels.leave(news_channel(self._viewer.id))

    async def _catch_up(self, cause: GapCause, watermark: int = 0) -> None:
        """Sends everything above `_safe` that is there by now, oldest first; a `gap` behind REPLAY_LIMIT, or the quota.

        `watermark` is that of the moment when it was told. The place up to which all was sent goes no higher than the
        one of before the reading.
        """
        known = watermark or registry.watermark or self._safe
        place, asked = self._safe, cause is GapCause.RESUME
        for number in range(REPLAY_LIMIT // REPLAY_PAGE):
            if not self.wanted:
                return
            if asked and number and not await self._within_quota():
                break
            page = await self._read(place)
            for each, item in zip(page.places[::-1], page.items[::-1], strict=True):
                await self._send_new(each, item, min(each, known))
            place = page.newer if page.newer is not None else place
            if len(page.items) < REPLAY_PAGE and not page.cut_short:
                self._move_to(known)
                return
        await self._gap(cause)
        self._move_to(known)

    async def _send_new(self, place: int, item: NotificationOut, safe: int) -> None:
        """Sends what was not sent; all below it was, so that it is safe to resume from up to the watermark."""
        self._move_to(safe)
        if place in self._sent:
            return
        self._know([place])
        await self._send(NotificationCame(self.name, encode_cursor(self._safe), item))
        await asyncio.sleep(0)

    async def _read(self, place: int) -> Page[NotificationOut]:
        return await turns.take(self._viewer.id, partial(reading, _page_above, self._viewer, place))

    async def _within_quota(self) -> bool:
        try:
            await quota.count(self._viewer.id)
        except OverQuota:
            return False
        return True

    async def _gap(self, cause: GapCause) -> None:
        GAPS.labels(self.topic.subject, cause).inc()
        await self._send(Gap(self.name, encode_cursor(self._safe)))

    def _know(self, places: Sequence[int]) -> None:
        for place in places:
            self._sent[place] = None
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _move_to(self, place: int) -> None:
        if place > self._safe:
            self._safe = place
            self._sent = OrderedDict.fromkeys(each for each in self._sent if each > place)


def _page_above(viewer: Viewer, place: int) -> Page[NotificationOut]:
    """One for which nothing was found in time is empty, and goes on where that ended."""
    try:
        return notifications_page(viewer, PageRequest(limit=REPLAY_PAGE, after=place))
    except StillSearching as error:
        return Page([], older=None, newer=error.examined, cut_short=True)
