"""The sockets of this process, by what they listen to, and the queue of each.

Delivery inside a process is a dictionary look-up and a `put_nowait`: nothing passes once per
socket through Redis or a channel layer. A queue is bounded; a socket whose client does not
keep up is told where to page on from (`gap`) and slows nobody. All of it runs on the event
loop's thread.

**Watermark.** Each signal carries the id below which everything had been put into the queues
when it was put there itself; it is what makes a frame's cursor safe to resume from. Attached
here and not when the frame is sent, since what waits behind it may be older.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from feed.live.streams.stream import HOME, READER, Signal, SignalKind, Stream, Topic
from feed.live.told import Frame

QUEUE_SIZE = 256
"""Signals that a socket may lag behind; ids only, so about 30 KB."""
MOST_ASKED = 64
"""Topics of which a socket that lags behind may have asked for something: three times the streams that it may have."""


class Wire(Protocol):
    """A connection, past everything that stands between it and a stream (config/http/sockets.py)."""

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Writes frames; returns False, and writes none, if the client does not read, or somebody has closed."""


class LiveQueue:
    """The signals that one socket still has to be told; never holds more than QUEUE_SIZE signals.

    `recheck` is called for a RECHECK, which must not wait behind what a slow client has not read; and with
    `asked_too_much`. Its pump `get`s one signal after the other. While that waits, and nothing else does, somebody else
    may tell the socket something in the pump's place, between `hold` and `release` (arrivals.py).
    """

    __slots__ = ("__weakref__", "_held", "_pump", "_recheck", "_resyncs", "_signals", "asked_too_much", "wire")

    def __init__(self, recheck: Callable[[], None] | None = None) -> None:
        self._signals: list[Signal] = []
        """A list, though the first leaves first: most are empty, and an empty deque takes ten times as much."""
        self._pump: asyncio.Future[None] | None = None
        """What the pump waits for."""
        self._held = False
        self._recheck = recheck
        self.wire: Wire | None = None
        """How to write at once, where that can be done: else the pump does it."""
        self.asked_too_much = False
        """The socket is to be ended: its client asks on and on, and does not read. Nothing is added any more."""
        self._resyncs = False
        """A RESYNC of everything waits, and behind it no stream that is to begin: the next one says nothing more."""

    def put(self, signal: Signal) -> None:
        """Adds a signal; never blocks, and never raises. A full queue is emptied, for one OVERFLOW in its place.

        Not lost with the rest: what the client last asked for, of each topic; of more than MOST_ASKED the socket ends.
        """
        if signal.kind is SignalKind.RECHECK:
            self._have_rechecked()
        elif not (self._resyncs and _resyncs_all(signal)) and self._has_room():
            self._resyncs = _resyncs_all(signal) or (self._resyncs and signal.kind is not SignalKind.SUBSCRIBE)
            self._signals.append(signal)
            self._wake()

    async def get(self) -> Signal:
        """Returns the next signal, once there is one. A pump that waits here sleeps on while the queue is held."""
        while not self._signals:
            self._pump = asyncio.get_running_loop().create_future()
            try:
                await self._pump
            finally:
                self._pump = None
        signal = self._signals.pop(0)
        if _resyncs_all(signal):
            self._resyncs = False
        return signal

    def hold(self, stream: Stream) -> bool:
        """Keeps the pump waiting until `release`, whatever comes; returns whether it does.

        Only if it waits for nothing yet, the client can be written to at once, and the stream expects something.
        """
        if self._held or self.wire is None or self._pump is None or self._pump.done():
            return False
        self._held = stream.expect()
        return self._held

    def release(self, first: Signal | None = None) -> None:
        """Lets the pump go on, with this signal if there is one, before those that came meanwhile."""
        if self._held:
            self._held = False
            if first is not None:
                self._signals.insert(0, first)
            if self._signals:
                self._wake()

    def forget(self) -> None:
        """Lets go of what waits, and of whom it would tell: the socket has ended. Idempotent."""
        self._recheck = None
        self.wire = None
        self._held = False
        self._signals = []

    def _wake(self) -> None:
        if self._signals and not self._held and self._pump is not None and not self._pump.done():
            self._pump.set_result(None)

    def _have_rechecked(self) -> None:
        if self._recheck is not None:
            self._recheck()

    def _has_room(self) -> bool:
        """Makes room if need be; False once the client has asked too much."""
        if len(self._signals) >= QUEUE_SIZE:
            dropped, self._signals = self._signals, []
            self._resyncs = False
            asked = _last_asked(dropped)
            self.asked_too_much = len(asked) > MOST_ASKED
            if self.asked_too_much:
                self._have_rechecked()
            else:
                self._signals = [*asked, Signal(SignalKind.OVERFLOW)]
        return not self.asked_too_much


class TokenQueue(LiveQueue):
    """That of a socket which is told nothing by itself: it has its token looked at, and keeps no signal."""

    __slots__ = ()

    def put(self, signal: Signal) -> None:
        if signal.kind is SignalKind.RECHECK:
            self._have_rechecked()


def _resyncs_all(signal: Signal) -> bool:
    return signal.topic is None and signal.kind is SignalKind.RESYNC


def _last_asked(signals: list[Signal]) -> Collection[Signal]:
    """The last thing that the client asked for of each topic."""
    asked = (SignalKind.SUBSCRIBE, SignalKind.UNSUBSCRIBE)
    return {signal.topic: signal for signal in signals if signal.kind in asked}.values()


class Held(NamedTuple):
    """A socket that is told without its pump: `queue` is held until then, and `stream` expects it."""

    queue: LiveQueue
    stream: Stream
    reader_id: int


ASKED = 2_000
"""Streams that are asked of one deletion at a time: 2 ms."""
NOBODY: Mapping[LiveQueue, Stream | None] = {}
SCANNED = 20
"""Streams whose screens are looked through before others of the process get on: some 2 ms at most."""


class Registry:
    """Which queues want the signals of which topic; a socket's own READER topic from sign-in to its end."""

    def __init__(self) -> None:
        self.watermark = 0
        self._queues: defaultdict[str, dict[int, dict[LiveQueue, Stream | None]]] = defaultdict(dict)
        """By subject and id, the two parts of a topic: a message names many ids of one subject. Each queue with the
        stream for which its socket listens, the newest that its client has asked for, if there is one."""

    def add(self, topic: Topic, queue: LiveQueue) -> int:
        """Has the topic's signals put into the queue; returns how many sockets listen to it in this process now."""
        queues = self._queues[topic.subject].setdefault(topic.id, {})
        queues.setdefault(queue, None)
        return len(queues)

    def remove(self, topic: Topic, queue: LiveQueue) -> None:
        """Undoes `add` and `watch`. Idempotent."""
        subject = self._queues[topic.subject]
        queues = subject.get(topic.id, {})
        queues.pop(queue, None)
        if not queues:
            subject.pop(topic.id, None)

    def watch(self, stream: Stream, queue: LiveQueue) -> None:
        """Does as `add`, and has what takes entries off the stream's screen put into the queue; it stands in for one of
        the same topic."""
        self._queues[stream.topic.subject].setdefault(stream.topic.id, {})[queue] = stream

    def unwatch(self, stream: Stream, queue: LiveQueue, *, instead: Stream | None) -> None:
        """Undoes `watch`, not `add`, of a stream that did not come to be, unless another has been asked for since."""
        queues = self._queues[stream.topic.subject].get(stream.topic.id, {})
        if queues.get(queue) is stream:
            queues[queue] = instead

    def streams(self) -> Iterator[tuple[LiveQueue, Stream]]:
        """Yields every stream that somebody watches, with the queue of its socket, as they stand when it gets there."""
        for subject in list(self._queues.values()):
            for queues in list(subject.values()):
                for queue, stream in list(queues.items()):
                    if stream is not None:
                        yield queue, stream

    def ids(self, subject: str) -> list[int]:
        """Returns of whom, or of what, there is a topic with this subject that somebody listens to."""
        return list(self._queues[subject])

    def signal(self, subject: str, ids: Iterable[int], kind: SignalKind, entry_id: int = 0) -> None:
        """Tells whoever listens to the topics of one subject. One look-up an id."""
        listening = self._queues[subject]
        for each in ids:
            queues = listening.get(each)
            if queues:
                signal = Signal(kind, Topic(subject, each), self.watermark, entry_id)
                for queue in queues:
                    queue.put(signal)

    def hold_idle(self, reader_ids: Iterable[int], entry_id: int) -> list[Held]:
        """Tells whoever listens to the homes of these readers that the entry came.

        But for those that have nothing else to do, which are held, and returned for the caller to tell them.
        """
        listening, held = self._queues[HOME], list[Held]()
        for reader_id in reader_ids:
            for queue, stream in listening.get(reader_id, NOBODY).items():
                if stream is not None and queue.hold(stream):
                    held.append(Held(queue, stream, reader_id))
                else:
                    queue.put(Signal(SignalKind.TWEET, Topic(HOME, reader_id), self.watermark, entry_id))
        return held

    def tell(self, signal: Signal) -> None:
        """Tells whoever listens to the signal's topic."""
        if signal.topic is not None:
            for queue in self._queues[signal.topic.subject].get(signal.topic.id, ()):
                queue.put(signal)

    async def gone(self, tweet_id: int) -> None:
        """Tells the streams whose clients may have the tweet, or a retweet of it, on their screens.

        Asks every stream of the process: 0.3 to 1 ms for a thousand, ASKED of them before others get on. One that
        begins to read meanwhile does so after the deletion, and finds nothing.
        """
        for place, (queue, stream) in enumerate(self.streams()):
            if stream.shows(tweet_id):
                queue.put(Signal(SignalKind.GONE, stream.topic, self.watermark, tweet_id))
            if place % ASKED == ASKED - 1:
                await asyncio.sleep(0)

    async def of_authors(
        self, kind: SignalKind, authors: frozenset[int], *, since: Mapping[int, int] | None = None
    ) -> None:
        """Tells the streams on whose screens something may be by, or retweet, one of these people.

        The kind is SUSPENDED, or PROTECTED with `since`. Looks through every screen of the process, a few at a time.
        """
        for place, (queue, stream) in enumerate(self.streams()):
            if stream.shows_any_by(authors):
                queue.put(Signal(kind, stream.topic, self.watermark, authors=authors, since=since or {}))
            if place % SCANNED == SCANNED - 1:
                await asyncio.sleep(0)

    def resync_all(self) -> None:
        """Tells every socket that it may have missed something, whatever it listens to."""
        signal = Signal(SignalKind.RESYNC, watermark=self.watermark)
        for queues in self._queues[READER].values():
            for queue in queues:
                queue.put(signal)


registry = Registry()
