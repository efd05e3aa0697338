"""The public stream of one socket: what the public feed shows to its viewer, as it comes, at a pace (pacing.py).

Fan-out tells each entry once, with the author's own copy, before its order is done: so the watermark, which stands
below the oldest open order, is as safe to resume from here as in home. What is told may be a retweet, which the feed
does not list, or by somebody hidden from the viewer: that is found when it is read.
"""

from collections.abc import Mapping, Sequence, Set

from accounts.entities import Viewer
from fanout.live.channel import PUBLIC_CHANNEL
from fanout.live.watermark import watermark as known_watermark
from feed.live.channels import channels
from feed.live.streams.missed import that_were
from feed.live.streams.replaying import ON_SCREEN, ReplayingStream
from feed.live.streams.stream import PUBLIC, Send
from feed.live.threads import housekeeping
from feed.timelines.public import public_page
from storage.web.paging import Page, PageRequest
from tweets.entities import Deletion
from tweets.reading.hydration import TweetOut
from tweets.reading.showing import Showing, showings
from tweets.stores.port import tweet_store

PUBLIC_STREAM = "public"


class PublicStream(ReplayingStream):
    """A `Stream` (stream.py) of the public feed."""

    def __init__(self, viewer: Viewer, send: Send) -> None:
        super().__init__(PUBLIC_STREAM, PUBLIC, viewer, send)
        self._hears = False

    async def open(self, after: int | None, watermark: int) -> None:
        """Finds where to begin, once the process hears of the public feed."""
        self._hears = True
        await channels.hear(PUBLIC_CHANNEL)
        await self._begin_at(after, watermark or await housekeeping(known_watermark.read))

    def close(self) -> None:
        """Hears of the public feed no more."""
        if self._hears:
            self._hears = False
            channels.leave(PUBLIC_CHANNEL)

    async def _tell_protected(self, since: Mapping[int, int]) -> None:
        """Takes what is theirs off everybody's screen: nobody protected is in the public feed."""
        await self._send_deleted(self._screen.leave_protected(since))

    def _may_show(self, tweet: TweetOut) -> bool:
        return tweet.retweet_of is None

    def _page(self, request: PageRequest) -> Page[TweetOut]:
        return public_page(self._viewer, request)

    def _standing(self) -> list[Showing]:
        return showings(tweet_store().public(limit=ON_SCREEN))[::-1]

    def _unseen(self, deletions: Sequence[Deletion]) -> Set[int]:
        return that_were(lambda was: was.in_public, deletions)
