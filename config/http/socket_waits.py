"""What a connection waits with, in place of asyncio's queue and event: those take 3.8 KB a socket while nobody waits.

Both belong to the event loop.
"""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """What `asyncio.Queue` does without a bound, for one who takes."""

    __slots__ = ("_messages", "_taker")

    def __init__(self) -> None:
        self._messages: list[T] = []
        self._taker: asyncio.Future[None] | None = None

    def put_nowait(self, message: T) -> None:
        self._messages.append(message)
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> T:
        """Returns the next message, once there is one. Only one at a time may wait here."""
        while not self._messages:
            self._taker = asyncio.get_running_loop().create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        return self._messages.pop(0)


class Gate:
    """What `asyncio.Event` does; who comes through finds it open. `is_open` says at once what `is_set` does."""

    __slots__ = ("_waiting", "is_open")

    def __init__(self) -> None:
        self.is_open = True
        self._waiting: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        return self.is_open

    def set(self) -> None:
        """Opens it, and lets in all who wait."""
        self.is_open = True
        for each in self._waiting or ():
            if not each.done():
                each.set_result(None)
        self._waiting = None

    def clear(self) -> None:
        """Closes it."""
        self.is_open = False

    async def wait(self) -> None:
        """Returns once it is open."""
        while not self.is_open:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting = [*(self._waiting or ()), waiter]
            try:
                await waiter
            finally:
                if self._waiting is not None and waiter in self._waiting:
                    self._waiting.remove(waiter)
