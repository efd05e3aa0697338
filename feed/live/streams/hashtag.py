"""The stream of one hashtag of one socket: what its list shows to the viewer, as it comes, at a pace (pacing.py).

An entry is told once for each of its hashtags, before its order is done: so the watermark is as safe to resume from
here as in the public stream. A channel has the number of a hashtag for its name, which another one may have, too; and
what is told may be by somebody hidden from the viewer: both are found when it is read.
"""

from collections.abc import Sequence, Set

from accounts.entities import Viewer
from fanout.live.channel import hashtag_channel
from fanout.live.watermark import watermark as known_watermark
from feed.live.channels import channels
from feed.live.streams.missed import that_were
from feed.live.streams.replaying import ON_SCREEN, ReplayingStream
from feed.live.streams.stream import HASHTAG, Send, Topic
from feed.live.threads import housekeeping
from feed.timelines.hashtags import hashtag_page, named_hashtag
from storage.web.paging import Page, PageRequest
from tweets.entities import Deletion
from tweets.hashtags import folded, hashtag_numbers
from tweets.reading.hydration import TweetOut
from tweets.reading.showing import Showing, showings
from tweets.stores.port import tweet_store

HASHTAG_STREAM = "hashtag:"


class HashtagStream(ReplayingStream):
    """A `Stream` (stream.py) of a hashtag. Frames name it as the client did; other ways to write it are the same."""

    def __init__(self, viewer: Viewer, send: Send, typed: str) -> None:
        """Raises `BadRequest` for what is no hashtag."""
        self._hashtag = named_hashtag(typed)
        [number] = hashtag_numbers([self._hashtag])
        super().__init__(f"{HASHTAG_STREAM}{typed}", Topic(HASHTAG, number), viewer, send)
        self._hears = False

    async def open(self, after: int | None, watermark: int) -> None:
        """Finds where to begin, once the process hears of the hashtag."""
        self._hears = True
        await channels.hear(hashtag_channel(self.topic.id))
        await self._begin_at(after, watermark or await housekeeping(known_watermark.read))

    def close(self) -> None:
        """Hears of the hashtag no more."""
        if self._hears:
            self._hears = False
            channels.leave(hashtag_channel(self.topic.id))

    def _may_show(self, tweet: TweetOut) -> bool:
        return tweet.retweet_of is None and self._hashtag in {folded(each.tag) for each in tweet.entities.hashtags}

    def _page(self, request: PageRequest) -> Page[TweetOut]:
        return hashtag_page(self._hashtag, self._viewer, request)

    def _standing(self) -> list[Showing]:
        return showings(tweet_store().tagged(self._hashtag, limit=ON_SCREEN))[::-1]

    def _unseen(self, deletions: Sequence[Deletion]) -> Set[int]:
        return that_were(lambda was: self.topic.id in was.hashtags, deletions)
