"""The tweets that sockets of this process watch: their counts, their new replies, and who may not see them any more.

However many sockets watch a tweet, its counts are read once for all, at most once a second, and only after something
was published of it: one look for all tweets together. **Large counts** may be some seconds old when they are looked at,
and are not changed by what changes them (tweets/caches/counts.py): such a tweet is looked at on, until they must have
been counted anew.

**Nothing is skipped.** A reply is published behind its write, by the process that wrote it, and by no order: if that
dies in between, or Redis does not answer it, nobody is told. So every SWEEP_SECONDS the replies that have settled are
read from the store, of all tweets together, and what was not told is. `place` is how far that has come: every reply
at or below it has been told, which makes it safe to resume from.

For example, tweet 7 is watched, and its place is 100. Replies 110 and 120 are posted, and only 120 is published. It is
told with a cursor of 100. The sweep, half a minute later, finds both; 110 is told, and the place is 150.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from msgspec import structs

from feed.live.pacing import Pacing
from feed.live.registry import registry
from feed.live.sights import hidden_of
from feed.live.streams.stream import TWEET, Signal, SignalKind, Topic
from feed.live.threads import housekeeping, reading
from storage.ids.settling import settled_place
from storage.ports.ranges import Range
from tweets.caches import counts as tweet_counts
from tweets.reading.outputs import CountsOut
from tweets.stores.port import tweet_store

LOOK_SECONDS = 1.0
"""Between two looks at counts: no client is told of a tweet's more often."""
SWEEP_SECONDS = 10.0
SWEPT = 1_000
"""Replies of one tweet that a sweep reads; of more, the next one reads on."""
AT_ONCE = 500
"""Tweets that are read together."""
SIGHT_SECONDS = 5.0
"""How often it is looked whether who watches may still see."""
LARGE_SECONDS = tweet_counts.STALE_SECONDS + tweet_counts.RECOUNT_LEASE_SECONDS
"""After so long, large counts that were cached before a change have been counted anew, whoever had begun to."""


class Watching(Protocol):
    """A stream, as far as it is known here."""

    topic: Topic
    viewer_id: int
    authors: frozenset[int]
    """Without one of whom there is nothing to see."""


@dataclass(eq=False, slots=True)
class Watch:
    """One tweet that is watched."""

    tweet_id: int
    counts: CountsOut
    place: int
    began: bool = False
    """Its replies from before are known: what is found now is new."""
    streams: set[Watching] = field(default_factory=set)
    changes: int = 1
    looked_at: int = 0
    """Which of the changes the counts show."""
    look_until: float = 0.0
    newcomer: int | None = None
    """Which of the changes somebody came with, who may have read other counts than were told before."""

    @property
    def topic(self) -> Topic:
        return Topic(TWEET, self.tweet_id)

    @property
    def is_due(self) -> bool:
        return self.changes != self.looked_at or self.look_until > time.monotonic()


class Watched:
    """It belongs to the event loop. Bounded by the streams that sockets may have (subscriptions.py)."""

    def __init__(self) -> None:
        self.replies = Pacing()
        self.start_anew()

    def start_anew(self) -> None:
        """Begins with nothing, on the event loop of who calls."""
        self.replies.start_anew()
        self._watches: dict[int, Watch] = {}
        self._due: dict[int, Watch] = {}
        """Whose counts are to be looked at, who has waited longest first."""
        self._changed = asyncio.Event()

    @property
    def ids(self) -> Collection[int]:
        """Which tweets are watched."""
        return self._watches.keys()

    def tell(self, signal: Signal) -> None:
        """Tells the streams that watch the tweet of the signal's topic, by their own: it may be a retweet's."""
        watch = self._watches.get(signal.topic.id) if signal.topic is not None else None
        for topic in {stream.topic for stream in watch.streams} if watch is not None else ():
            registry.tell(structs.replace(signal, topic=topic))

    def add(self, tweet_id: int, stream: Watching, counts: CountsOut) -> Watch:
        """Has the stream told; `counts` are what it has just read, the tweet's channel being heard already."""
        watch = self._watches.setdefault(tweet_id, Watch(tweet_id, counts, settled_place()))
        watch.streams.add(stream)
        self.changed(tweet_id)  # since it was read, too
        watch.newcomer = watch.changes
        return watch

    def remove(self, watch: Watch, stream: Watching) -> None:
        """Undoes `add`. Idempotent."""
        watch.streams.discard(stream)
        if not watch.streams and self._watches.get(watch.tweet_id) is watch:
            del self._watches[watch.tweet_id]
            self._due.pop(watch.tweet_id, None)

    async def begin(self, watch: Watch) -> None:
        """Learns the newest replies of a tweet that has just come to be watched. A store read. Raises `Unavailable`.

        Of streams that come together whoever has read first: behind that a reply is new to one that was told so.
        """
        if watch.began:
            return
        found = await reading(_replies, watch.tweet_id, watch.place)
        if not watch.began:
            self.replies.know(watch.topic, found)
            watch.began = True

    def changed(self, tweet_id: int, reply_id: int = 0) -> None:
        """Looks at the tweet's counts soon, and tells of the new reply, if it is one."""
        watch = self._watches.get(tweet_id)
        if watch is None:
            return
        watch.changes += 1
        self._due.setdefault(tweet_id, watch)
        self._changed.set()
        if reply_id:
            self.replies.add(watch.topic, reply_id, watch.place)

    async def look(self) -> None:
        """Reads the counts of tweets of which something was published, once there are some; tells what has changed.

        A Redis round trip for AT_ONCE of them, and what it costs to count what is not cached; of more, the next look
        reads on, and comes to each in its turn. Raises `Unavailable`, and looks again then.
        """
        await self._changed.wait()
        due = {each.tweet_id: (each, each.changes) for each in islice(self._due.values(), AT_ONCE)}
        found = await reading(_counts, list(due)) if due else {}
        for tweet_id, (watch, changes) in due.items():
            if found[tweet_id].large and changes != watch.looked_at:
                watch.look_until = time.monotonic() + LARGE_SECONDS
            watch.looked_at = changes
            self._know(watch, _out(found[tweet_id]))
            self._take_turn(watch)
        if not self._due:
            self._changed.clear()

    def _take_turn(self, watch: Watch) -> None:
        """Puts one that was looked at behind all others, if it is to be looked at on."""
        if self._due.get(watch.tweet_id) is watch:
            del self._due[watch.tweet_id]
            if watch.is_due:
                self._due[watch.tweet_id] = watch

    def _know(self, watch: Watch, counts: CountsOut) -> None:
        """Tells whoever has others, once there is somebody who may have: each stream knows what it was told."""
        came = watch.newcomer is not None and watch.newcomer <= watch.looked_at
        if watch.counts != counts or came:
            watch.counts = counts
            watch.newcomer = None if came else watch.newcomer
            self.tell(Signal(SignalKind.COUNTS, watch.topic, watch.place))

    async def sweep(self) -> None:
        """Tells of replies that nobody was told of, and looks at the counts. A store read for AT_ONCE tweets.

        Raises `Unavailable`.
        """
        began = [each for each in self._watches.values() if each.began]
        for start in range(0, len(began), AT_ONCE):
            some = began[start : start + AT_ONCE]
            settled = settled_place()
            found = await reading(_replies_to, {each.tweet_id: Range(None, each.place, SWEPT) for each in some})
            for watch in some:
                self._sweep(watch, sorted(found[watch.tweet_id]), settled)

    def _sweep(self, watch: Watch, reply_ids: Sequence[int], settled: int) -> None:
        for reply_id in reply_ids:
            if reply_id <= settled:
                self.replies.add(watch.topic, reply_id, watch.place)
        watch.place = max(watch.place, min(settled, reply_ids[-1]) if len(reply_ids) == SWEPT else settled)
        self.changed(watch.tweet_id)

    async def look_at_viewers(self) -> None:
        """Tells who may not see the tweet that they watch any more. `hidden_of` has the costs.

        Raises `Unavailable`.
        """
        streams = [stream for watch in self._watches.values() for stream in watch.streams]
        authors: dict[int, set[int]] = {}
        for stream in streams:
            authors.setdefault(stream.viewer_id, set()).update(stream.authors)
        hidden = await housekeeping(hidden_of, authors) if authors else {}
        lost: dict[Topic, set[int]] = {}
        for stream in streams:
            found = hidden.get(stream.viewer_id)
            if isinstance(found, frozenset) and not found.isdisjoint(stream.authors):
                lost.setdefault(stream.topic, set()).add(stream.viewer_id)
        for topic, viewers in lost.items():
            registry.tell(Signal(SignalKind.HIDDEN, topic, registry.watermark, viewers=frozenset(viewers)))


def _counts(ids: list[int]) -> dict[int, tweet_counts.Counts]:
    return tweet_counts.counts_of(ids)


def _out(counts: tweet_counts.Counts) -> CountsOut:
    return CountsOut(counts.replies, counts.retweets, counts.quotes, counts.likes)


def _replies(tweet_id: int, after: int) -> list[int]:
    return tweet_store().replies(tweet_id, after=after, limit=SWEPT)


def _replies_to(ranges: Mapping[int, Range]) -> dict[int, list[int]]:
    return tweet_store().replies_to(ranges)


watched = Watched()
