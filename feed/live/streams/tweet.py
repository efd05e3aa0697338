"""The stream of one tweet: its counts, its direct replies, and its end.

Of a retweet it is told what happens to the original, as over REST: that is the *subject*. What happens comes from the
process's watch of it (watching.py), which says how cursors here are safe to resume from.

**The end.** Who may not see the tweet any more (it was deleted, or its author was suspended, is protected and not
followed, or blocked, either way) is told its `delete`, and the stream is over. A block, or unfollowing, is not
published: it is looked for every few seconds, and before every frame, so that nothing is told after it.
"""

from collections.abc import Mapping, Sequence, Set

from accounts.entities import Viewer
from accounts.graph.exclusions import sees_suspended
from fanout.live.channel import tweet_channel
from feed.live.channels import channels
from feed.live.sharing import sharing
from feed.live.sights import sights
from feed.live.streams.missed import that_were
from feed.live.streams.replaying import ON_SCREEN, ReplayingStream
from feed.live.streams.stream import TWEET, Over, Send, Signal, SignalKind, Topic
from feed.live.threads import reading
from feed.live.told import CountsChanged
from feed.live.watching import Watch, watched
from storage.errors import NotFound
from storage.web.paging import Page, PageRequest
from tweets.entities import Deletion
from tweets.reading.bodies import tweets_by_id
from tweets.reading.outputs import CountsOut, TweetOut
from tweets.reading.selectors import no_such_tweet, tweet_out
from tweets.reading.showing import Showing, showings
from tweets.reading.threads import replies_page
from tweets.stores.port import tweet_store

TWEET_STREAM = "tweet:"


class TweetStream(ReplayingStream):
    """A `Stream` (stream.py) of one tweet."""

    def __init__(self, viewer: Viewer, send: Send, tweet_id: int) -> None:
        super().__init__(f"{TWEET_STREAM}{tweet_id}", Topic(TWEET, tweet_id), viewer, send)
        self.viewer_id = viewer.id
        self.authors: frozenset[int] = frozenset()
        self._tweet_id = tweet_id
        self._subject = tweet_id
        self._channel: str | None = None
        """What it hears, of the subject."""
        self._watch: Watch | None = None
        self._told: CountsOut | None = None
        """The counts that the client has; None of one that resumes, and may have any."""

    async def open(self, after: int | None, watermark: int) -> None:
        """Begins to watch the tweet, and then reads it. Raises `NotFound`, in REST's words, for who may not see it."""
        self._subject = await reading(_subject_of, self._tweet_id)
        self._channel = tweet_channel(self._subject)
        await channels.hear(self._channel)
        shown = await self._read_in_turn(tweet_out, self._tweet_id, self._viewer)
        self.authors = frozenset(int(each.author.id) for each in (shown, shown.retweet_of) if each is not None)
        self._told = shown.counts if after is None else None
        self._watch = watched.add(self._subject, self, shown.counts)
        await watched.begin(self._watch)
        await self._begin_at(after, self._watch.place)

    async def begin(self) -> None:
        """Tells the client that it is subscribed; one that resumes what it has missed, and the counts."""
        await super().begin()
        if self._told is None:
            await self._tell_counts()

    async def handle(self, signal: Signal) -> None:
        """Tells the client what the signal says. Raises `Over` behind the end."""
        match signal.kind:
            case SignalKind.COUNTS:
                await self._tell_counts()
            case SignalKind.GONE if signal.entry_id in (self._tweet_id, self._subject):
                await self._end()
            case SignalKind.SUSPENDED | SignalKind.PROTECTED:
                await self._end_unless_seen()
                await super().handle(signal)
            case SignalKind.HIDDEN:
                if self.viewer_id in signal.viewers:
                    await self._end_unless_seen()
            case SignalKind.RESYNC:
                await self._end_unless_seen()
                await super().handle(signal)
                await self._make_good_counts()
            case SignalKind.OVERFLOW:
                await super().handle(signal)  # first the gap: what was dropped is below it, whatever fails now
                await self._end_unless_seen()
                await self._make_good_counts()
            case _:
                await super().handle(signal)

    def shows(self, tweet_id: int) -> bool:
        """Returns the same of the tweet itself, and of its replies."""
        return tweet_id in (self._tweet_id, self._subject) or super().shows(tweet_id)

    def shows_any_by(self, authors: Set[int]) -> bool:
        """Returns the same."""
        return not self.authors.isdisjoint(authors) or super().shows_any_by(authors)

    def close(self) -> None:
        """Watches the tweet, and hears of it, no more."""
        if self._channel is not None:
            channels.leave(self._channel)
            self._channel = None
        if self._watch is not None:
            watched.remove(self._watch, self)

    def _watermark(self) -> int:
        return self._watch.place if self._watch is not None else 0

    async def _show(self, entries: tuple[int, ...]) -> None:
        """Shows replies; with the tweet itself, so that who sees it no more sees no reply either."""
        self._behind = True
        subjects = dict.fromkeys((self._tweet_id, self._subject))
        with self._being_read():
            staff = sees_suspended(self._viewer)
            seen = await sharing.seen_by(self._viewer, (*subjects, *entries), suspended=staff)
        if str(self._tweet_id) not in {tweet.id for tweet in seen}:
            await self._end_unless_seen()
        await self._show_read(seen)

    def _may_show(self, tweet: TweetOut) -> bool:
        return tweet.reply_to_id == str(self._subject)

    async def _tell_suspended(self, authors: Set[int]) -> None:
        """Leaves what they wrote to staff, who see it."""
        if not sees_suspended(self._viewer):
            await super()._tell_suspended(authors)

    async def _tell_protected(self, since: Mapping[int, int]) -> None:
        """Does the same."""
        if not sees_suspended(self._viewer):
            await super()._tell_protected(since)

    async def _tell_counts(self) -> None:
        counts = self._watch.counts if self._watch is not None else None
        if counts is None or counts == self._told:
            return
        if await sights.hidden(self.viewer_id, self.authors):
            await self._end_unless_seen()
        self._told = counts
        await self._send(CountsChanged(self.name, str(self._subject), counts))

    async def _make_good_counts(self) -> None:
        await self._tell_counts()
        watched.changed(self._subject)

    async def _end_unless_seen(self) -> None:
        """Reads the tweet as REST would, and ends if that finds none. Raises `Over`; `Unavailable` leaves it behind."""
        behind, self._behind = self._behind, True
        try:
            await reading(tweet_out, self._tweet_id, self._viewer)
        except NotFound:
            await self._end()
        self._behind = behind

    async def _end(self) -> None:
        await self._send_deleted([self._tweet_id])
        raise Over

    def _page(self, request: PageRequest) -> Page[TweetOut]:
        return replies_page(self._tweet_id, self._viewer, request)

    def _standing(self) -> list[Showing]:
        return showings(tweet_store().replies(self._subject, limit=ON_SCREEN))[::-1]

    def _unseen(self, deletions: Sequence[Deletion]) -> Set[int]:
        return that_were(lambda was: was.reply_to_id == self._subject, deletions)


def _subject_of(tweet_id: int) -> int:
    """Raises `NotFound`."""
    tweet = tweets_by_id([tweet_id]).get(tweet_id)
    if tweet is None:
        raise no_such_tweet()
    return tweet.retweet_of_id if tweet.retweet_of_id is not None else tweet.id
