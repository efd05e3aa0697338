"""What all streams of tweets have in common: replay from a cursor, then live, then whatever goes wrong.

A frame's cursor is the signal's watermark, never the tweet's own id: order of ids is order
of birth, not of visibility. Whoever resumes from it may see a tweet again, and drops it by id.

**What leaves** is told as `delete` under the id of each entry that the client may have on its screen (screen.py): a
tweet's own, and those of the retweets that show it. A quoting tweet stays, and shows nothing in the quoted one's place.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from functools import partial
from typing import ParamSpec, TypeVar

from accounts.entities import Viewer
from fanout.live.figures import GAPS, GapCause
from feed.live.frames import OverQuota
from feed.live.heard import TooMany
from feed.live.quota import quota
from feed.live.registry import registry
from feed.live.sharing import sharing
from feed.live.sights import sights
from feed.live.streams.missed import Missed, missed_since
from feed.live.streams.screen import Screen
from feed.live.streams.shown import Shown, tweet_came
from feed.live.streams.stream import PUBLIC, Send, Signal, SignalKind, Topic
from feed.live.threads import reading
from feed.live.told import Frame, Gap, Subscribed, TweetLeft
from feed.live.turns import turns
from storage.errors import StillSearching, Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.spans import Kind
from storage.tracing import traced
from storage.web.paging import Page, PageRequest, encode_cursor
from tweets.entities import Deletion
from tweets.reading.hydration import TweetOut
from tweets.reading.showing import Showing, showing_of

REPLAY_PAGE = 100
REPLAY_LIMIT = 1_000
"""Tweets that a resume sends; a client that missed more is told to page (`gap`)."""
ON_SCREEN = 200
"""Entries that a client may have from pages, or from a socket before this one: two of the largest pages."""

P = ParamSpec("P")
R = TypeVar("R")


class ReplayingStream(ABC):
    """A `Stream` (stream.py) of what comes into, and leaves, a collection of tweets.

    Everything at or below `_safe` has been sent. Whatever fails with `Unavailable` leaves the
    stream *behind*: `_safe` stands still, tweets wait, and the next RESYNC replays from it. What is replayed is read in
    turns with other replays (turns.py), and what the client has asked for counts in its quota, page by page.

    A stream of one collection says by the abstract methods below how that is read; they run in a thread.
    """

    def __init__(self, name: str, topic: Topic, viewer: Viewer, send: Send) -> None:
        self.name = name
        self.topic = topic
        self.wanted = True
        self._viewer = viewer
        self._send = send
        self._safe = self._begun = 0
        """From `_begun` on the client is told; it has everything up to `_safe`."""
        self._behind = False
        self._screen = Screen()
        self._looked = False
        """Whether the screen holds what stood in the collection before."""
        self._reading = True
        """Whether something is being read that will be on the screen."""

    @abstractmethod
    def _page(self, request: PageRequest) -> Page[TweetOut]:
        """Returns a page of the collection, as the viewer sees it over REST. Raises `Unavailable`."""

    @abstractmethod
    def _standing(self) -> list[Showing]:
        """Returns what the newest ON_SCREEN entries of the collection show, the newest last. Raises `Unavailable`."""

    @abstractmethod
    def _unseen(self, deletions: Sequence[Deletion]) -> Set[int]:
        """Returns the tweets of these deletions that a client may have whatever is known. As missed.py's `Among`."""

    @abstractmethod
    async def open(self, after: int | None, watermark: int) -> None:
        """As `Stream` promises; ends with `_begin_at`."""

    async def begin(self) -> None:
        """Tells the client that from now on it gets what is new; and first what it has missed."""
        await self._send(Subscribed(self.name))
        if self._behind:
            await self._catch_up(asked=True)

    async def handle(self, signal: Signal) -> None:
        """Tells the client what the signal says."""
        match signal.kind:
            case SignalKind.TWEETS if not self._behind:
                self._safe = max(self._safe, signal.watermark)
                await self._show(signal.entries)
            case SignalKind.SKIPPED if not self._behind:
                self._safe = max(self._safe, signal.watermark)
                await self._gap(GapCause.PACE)
            case SignalKind.DELETE:
                await self._send_deleted(self._screen.leave(signal.entry_id, unseen=True))
            case SignalKind.GONE:
                await self._send_deleted(self._screen.leave(signal.entry_id))
            case SignalKind.SUSPENDED:
                await self._tell_suspended(signal.authors)
            case SignalKind.PROTECTED:
                await self._tell_protected(signal.since)
            case SignalKind.RESYNC:
                if signal.published_up_to:
                    self._safe = max(self._begun, min(self._safe, signal.published_up_to))
                await self._catch_up()
            case SignalKind.OVERFLOW:
                self._behind = True
                await self._let_page_on(GapCause.OVERFLOW)
                self._behind = self._reading = False  # what was expected may have been dropped, too

    def expect(self) -> bool:
        """As `Stream` promises; most are told by their pump only."""
        return False

    def show(self, shown: Shown, watermark: int) -> Sequence[Frame]:
        """As `Stream` promises."""
        self._reading = False
        self._safe = max(self._safe, watermark)
        self._screen.put(shown.showings)
        return shown.frames(self.name, self._safe)

    def shows(self, tweet_id: int) -> bool:
        """Returns whether an entry on the screen, or on its way there, is or retweets the tweet."""
        return self._reading or self._screen.shows(tweet_id)

    def shows_any_by(self, authors: Set[int]) -> bool:
        """Returns the same of entries that are by, or retweet, one of the authors."""
        return self._reading or self._screen.shows_any_by(authors)

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """As `Stream` promises."""

    async def _begin_at(self, after: int | None, safe: int) -> None:
        """Takes `safe`, or `after` below it, as the place up to which the client has everything."""
        self._safe = safe
        if after is not None:
            self._safe = min(after, self._safe)
            self._behind = True
        self._begun = self._safe
        try:
            await self._look_at_screen()
        except Unavailable:
            self._behind = True

    def _watermark(self) -> int:
        """Returns the place above which no cursor may be now, 0 if it is not known."""
        return registry.watermark

    def _may_show(self, tweet: TweetOut) -> bool:
        """Returns whether a tweet that was told of belongs to the collection."""
        return True

    async def _look_at_screen(self) -> None:
        """Learns what the client may have from before, or from pages behind a `gap`, once. Raises `Unavailable`: who
        calls leaves the stream behind, as cursors above a deletion that could not be told would hide it."""
        if not self._looked:
            self._screen.fill(await self._read_in_turn(self._standing))
            self._looked = True

    async def _read(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Reads what is then put on the screen, before anything else is awaited.

        What is deleted meanwhile is told behind it.
        """
        with self._being_read():
            return await reading(function, *args, **kwargs)

    async def _read_in_turn(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Does the same as a step of a replay."""
        with self._being_read():
            return await turns.take(self._viewer.id, partial(reading, function, *args, **kwargs))

    @contextmanager
    def _being_read(self) -> Iterator[None]:
        self._reading = True
        try:
            yield
        finally:
            self._reading = False

    async def _show(self, entries: tuple[int, ...]) -> None:
        """Shows what many sockets are told of: read once for all of them, but for what differs by viewer."""
        self._behind = True
        with self._being_read():
            found = await sharing.seen_by(self._viewer, entries, public=self.topic == PUBLIC)
        await self._show_read(found)

    @traced("live.frames", Kind.PRODUCER, lambda *_: {"feed.sockets": 1})
    async def _show_read(self, tweets: Sequence[TweetOut]) -> None:
        """Ends being behind, as everything has been read, and sends what belongs here."""
        shown = [tweet for tweet in tweets if self._may_show(tweet)]
        self._screen.put(map(showing_of, shown))
        self._behind = False
        for tweet in shown:
            await self._send_tweet(tweet)

    async def _catch_up(self, *, asked: bool = False) -> None:
        """Sends everything above `_safe` that is visible by now, oldest first; and what has left since, in between.

        Up to REPLAY_LIMIT, and of what the client has asked for up to its quota, the first page being counted; a `gap`
        tells where to page on. Ends where it is once the stream is not wanted any more.

        Begins no higher than the watermark, so that a cursor taken from a REST page is as
        safe to resume from as one taken from a frame. What has left goes before every frame whose
        cursor is above it: a client that resumes from that one was told.
        """
        self._behind = True
        if self._is_over():
            return
        cause = GapCause.RESUME if asked else GapCause.RESYNC
        missed = await self._missed(cause)
        watermark = self._watermark() or self._safe
        place = self._safe
        for number in range(REPLAY_LIMIT // REPLAY_PAGE):
            if asked and number and not await self._within_quota():
                await self._page_on(missed, cause)
                break
            if self._is_over():
                return
            page = await self._read_in_turn(self._replayed, place)
            self._screen.put(map(showing_of, reversed(page.items)))
            for tweet in reversed(page.items):
                if self._is_over():
                    return
                await self._move_to(min(int(tweet.id), watermark), missed)
                await self._send_tweet(tweet)
                await asyncio.sleep(0)  # a page is sent in 10 ms, within which others' signals come
            place = page.newer if page.newer is not None else place
            await self._move_to(min(place, watermark), missed)
            if len(page.items) < REPLAY_PAGE and not page.cut_short:
                await self._tell_missed(missed, MAX_ID)
                break
        else:
            await self._page_on(missed, cause)
        self._behind = False

    def _replayed(self, place: int) -> Page[TweetOut]:
        """The page above `place`. One for which nothing was found in time is empty, and goes on where that ended."""
        try:
            return self._page(PageRequest(limit=REPLAY_PAGE, after=place))
        except StillSearching as error:
            return Page([], older=None, newer=error.examined, cut_short=True)

    def _is_over(self) -> bool:
        return not self.wanted

    async def _page_on(self, missed: deque[Missed], cause: GapCause) -> None:
        await self._tell_missed(missed, MAX_ID)
        await self._let_page_on(cause)

    async def _let_page_on(self, cause: GapCause) -> None:
        """Sends a `gap`, once it is known what the client may load behind it. Raises `Unavailable`, and sends none."""
        self._looked = False
        await self._look_at_screen()
        await self._gap(cause)

    async def _within_quota(self) -> bool:
        try:
            await quota.count(self._viewer.id)
        except OverQuota:
            return False
        return True

    async def _missed(self, cause: GapCause) -> deque[Missed]:
        """Returns what has left since `_safe`. Where that is too much, or cannot be known, a `gap` says so.

        Raises `Unavailable` where it cannot be known what the client may have.
        """
        await self._look_at_screen()
        with suppress(TooMany, Unavailable):
            since = partial(missed_since, self._safe, self._screen.authors(), self._unseen)
            return deque(await turns.take(self._viewer.id, since))
        await self._gap(cause)
        return deque()

    async def _move_to(self, place: int, missed: deque[Missed]) -> None:
        """Raises `_safe`, once everything that has left up to there is told."""
        safe = max(self._safe, place)
        await self._tell_missed(missed, safe)
        self._safe = safe

    async def _tell_missed(self, missed: deque[Missed], place: int) -> None:
        while missed and missed[0].op <= place:
            each = missed.popleft()
            if each.tweet_id is None:
                await self._tell_change_of(each)
            else:
                await self._send_deleted(self._screen.leave(each.tweet_id, unseen=each.unseen))

    async def _tell_change_of(self, author: Missed) -> None:
        if author.protected:
            await self._tell_protected({author.author_id: author.op})
        else:
            await self._tell_suspended(frozenset({author.author_id}))

    async def _tell_suspended(self, authors: Set[int]) -> None:
        """Takes off the screen what is by, or retweets, suspended people."""
        await self._send_deleted(self._screen.leave_by(authors))

    async def _tell_protected(self, since: Mapping[int, int]) -> None:
        """Takes off the screen what is by, or retweets, those whom the viewer may not see; tells what the client may
        have of it. `sights.hidden` has the costs; what raises `Unavailable` leaves the stream behind, and is told by
        the replay."""
        behind, self._behind = self._behind, True
        hidden = await sights.hidden(self._viewer.id, since.keys())
        self._behind = behind
        await self._send_deleted(self._screen.leave_protected({each: since[each] for each in hidden}))

    async def _send_deleted(self, entry_ids: Sequence[int]) -> None:
        for entry_id in entry_ids:
            await self._send(TweetLeft(self.name, str(entry_id)))

    async def _send_tweet(self, tweet: TweetOut) -> None:
        await self._send(tweet_came(self.name, self._safe, tweet))

    async def _gap(self, cause: GapCause) -> None:
        GAPS.labels(self.topic.subject, cause).inc()
        await self._send(Gap(self.name, encode_cursor(self._safe)))
