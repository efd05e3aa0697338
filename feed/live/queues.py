"""The signals that a socket still has to be told, and its pump.

A queue is bounded; a socket whose client does not keep up is told where to page on from (`gap`) and slows nobody.
All of it runs on the event loop's thread.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from feed.live.streams.stream import Signal, SignalKind, Stream
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
    `asked_too_much`. The *pump* tells one signal after the other: a task that begins when there is something to tell,
    and ends when there is nothing more, as one that waits takes a kilobyte a socket. While there is none, somebody
    else may tell the socket something in its place, between `hold` and `release` (arrivals.py).
    """

    __slots__ = (
        *("__weakref__", "_context", "_held", "_pumping", "_recheck", "_resyncs", "_signals", "_tell"),
        *("asked_too_much", "wire"),
    )

    def __init__(self, recheck: Callable[[], None] | None = None) -> None:
        self._signals: list[Signal] = []
        """A list, though the first leaves first: most are empty, and an empty deque takes ten times as much."""
        self._tell: Callable[[Signal], Awaitable[None]] | None = None
        self._context: contextvars.Context | None = None
        """In which the pump runs: what puts a signal here has one of its own."""
        self._pumping: asyncio.Task[None] | None = None
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

    def pump(self, tell: Callable[[Signal], Awaitable[None]]) -> None:
        """Has `tell` awaited with one signal after the other, until `forget`, in the context of who calls this.

        It must not raise.
        """
        self._tell = tell
        self._context = contextvars.copy_context()
        self._wake()

    def take(self) -> Signal:
        """Takes out the next signal; there has to be one."""
        signal = self._signals.pop(0)
        if _resyncs_all(signal):
            self._resyncs = False
        return signal

    def hold(self, stream: Stream) -> bool:
        """Keeps the pump from beginning until `release`, whatever comes; returns whether it does.

        Only if it has nothing to do yet, the client can be written to at once, and the stream expects something.
        """
        if self._held or self.wire is None or self._tell is None or self._pumping is not None or self._signals:
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
        """Lets go of what waits, and of whom it would tell, which is cancelled: the socket has ended. Idempotent."""
        self._recheck = self._tell = self._context = None
        pumping, self._pumping = self._pumping, None  # which keeps how it was cancelled, which keeps the socket
        cancel_other(pumping)
        self.wire = None
        self._held = False
        self._signals = []

    def _wake(self) -> None:
        if self._signals and not self._held and self._pumping is None and self._tell is not None:
            self._pumping = asyncio.get_running_loop().create_task(self._pump(), context=self._context)

    async def _pump(self) -> None:
        try:
            while self._tell is not None and self._signals:
                await self._tell(self.take())
        finally:
            self._pumping = None

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


def cancel_other(task: asyncio.Task[None] | None) -> None:
    """Cancels the task, unless it is the one that asks for it."""
    if task is not None and task is not asyncio.current_task():
        task.cancel()


def _resyncs_all(signal: Signal) -> bool:
    return signal.topic is None and signal.kind is SignalKind.RESYNC


def _last_asked(signals: list[Signal]) -> Collection[Signal]:
    """The last thing that the client asked for of each topic."""
    asked = (SignalKind.SUBSCRIBE, SignalKind.UNSUBSCRIBE)
    return {signal.topic: signal for signal in signals if signal.kind in asked}.values()
