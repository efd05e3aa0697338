"""The sockets of this process, by reader, and the queue of each.

Delivery inside a process is a dictionary look-up and a `put_nowait`: nothing passes once per
socket through Redis or a channel layer. A queue is bounded; a socket whose client does not
keep up is told where to page on from (`gap`) and slows nobody. All of it runs on the event
loop's thread.

**Watermark.** Each signal carries the id below which everything had been put into the queues
when it was put there itself; it is what makes a frame's cursor safe to resume from. Attached
here and not when the frame is sent, since what waits behind it may be older.
"""

import asyncio
from collections.abc import Iterable
from enum import StrEnum

import msgspec

QUEUE_SIZE = 256
"""Signals that a socket may lag behind; ids only, so about 30 KB."""


class SignalKind(StrEnum):
    TWEET = "tweet"
    """An entry came into the reader's home timeline."""
    DELETE = "delete"
    """An entry left it."""
    RESYNC = "resync"
    """Messages may have been missed: read from the last watermark."""
    OVERFLOW = "overflow"
    """The client fell behind, and signals were dropped."""
    SUBSCRIBE = "subscribe"
    """The client has subscribed; `after` is the cursor to replay from."""
    UNSUBSCRIBE = "unsubscribe"
    RECHECK = "recheck"
    """The reader's account or tokens have changed: is the socket still allowed?"""


class Signal(msgspec.Struct, frozen=True):
    kind: SignalKind
    watermark: int = 0
    entry_id: int = 0
    after: int | None = None


class LiveQueue:
    """What one socket still has to be told; never holds more than QUEUE_SIZE signals."""

    def __init__(self) -> None:
        self._signals: asyncio.Queue[Signal] = asyncio.Queue(QUEUE_SIZE)
        self.recheck = asyncio.Event()
        """Set by a RECHECK, which must not wait behind what a slow client has not read."""

    def put(self, signal: Signal) -> None:
        """Never blocks. A full queue is emptied, for one OVERFLOW in its place.

        Not lost with the rest: what the client last asked for.
        """
        if signal.kind is SignalKind.RECHECK:
            self.recheck.set()
            return
        if self._signals.full():
            dropped = [self._signals.get_nowait() for _ in range(self._signals.qsize())]
            asked = [each for each in dropped if each.kind in (SignalKind.SUBSCRIBE, SignalKind.UNSUBSCRIBE)]
            for kept in [*asked[-1:], Signal(SignalKind.OVERFLOW)]:
                self._signals.put_nowait(kept)
        self._signals.put_nowait(signal)

    async def get(self) -> Signal:
        return await self._signals.get()


class Registry:
    """Which queues want which reader's signals."""

    def __init__(self) -> None:
        self.watermark = 0
        self._queues: dict[int, set[LiveQueue]] = {}

    def add(self, reader_id: int, queue: LiveQueue) -> int:
        """How many sockets the reader has in this process now."""
        queues = self._queues.setdefault(reader_id, set())
        queues.add(queue)
        return len(queues)

    def remove(self, reader_id: int, queue: LiveQueue) -> None:
        queues = self._queues.get(reader_id, set())
        queues.discard(queue)
        if not queues:
            self._queues.pop(reader_id, None)

    def readers(self) -> list[int]:
        return list(self._queues)

    def signal(self, reader_ids: Iterable[int], kind: SignalKind, entry_id: int = 0) -> None:
        signal = Signal(kind, self.watermark, entry_id)
        for reader_id in reader_ids:
            for queue in self._queues.get(reader_id, ()):
                queue.put(signal)


registry = Registry()
