"""The sockets of this process, by what they listen to.

Delivery inside a process is a dictionary look-up and a `put` (queues.py): nothing passes once per
socket through Redis or a channel layer. All of it runs on the event loop's thread.

**Watermark.** Each signal carries the id below which everything had been put into the queues
when it was put there itself; it is what makes a frame's cursor safe to resume from. Attached
here and not when the frame is sent, since what waits behind it may be older.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from feed.live.queues import LiveQueue
from feed.live.streams.stream import HOME, READER, Signal, SignalKind, Stream, Topic


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

    def signal(
        self, subject: str, ids: Iterable[int], kind: SignalKind, entry_id: int = 0, *, published_up_to: int = 0
    ) -> None:
        """Tells whoever listens to the topics of one subject. One look-up an id."""
        listening = self._queues[subject]
        for each in ids:
            queues = listening.get(each)
            if queues:
                signal = Signal(kind, Topic(subject, each), self.watermark, entry_id, published_up_to)
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
