"""Bodies are read before a thread is taken for them: so many at a time, each within its time.

    408  a body that came slower than BYTES_A_SECOND, or did not end within READ_SECONDS
    408  the one that has been read for the longest, when more than AT_A_TIME are, or AT_A_TIME_EACH of an address;
         but none that came within SPARED_SECONDS: a burst of ordinary writes is no flood of slow ones

So who sends slowly waits for nobody but themselves: a body that comes at once always finds its place. Memory is
bounded by the server's connections times the limit.
"""

import asyncio
from collections.abc import Awaitable, Callable

from config.http.problems import Problem

READ_SECONDS = 20.0
"""For a body as a whole. 64 KB take as long at 3.2 KB/s."""
FREE_SECONDS = 5.0
"""Before the rate counts: a handshake of a bad line, and what is lost on it."""
BYTES_A_SECOND = 1024
AT_A_TIME = 512
AT_A_TIME_EACH = 64
"""Of one address, behind which many people may be."""

SPARED_SECONDS = 1.0
"""A busy loop may see a hundred requests begin before the body of the first, though it is there already."""

SLOW = Problem(status=408, detail="The body came too slowly.", code="too_slow")

More = Callable[[], Awaitable[bytes | None]]
"""Waits for the next piece; None where the body ends."""
Waiting = dict[asyncio.Timeout, float]
"""When each came, in that order."""


class TooSlow(Exception):
    """The body did not come in time, or gave way to one that is newer."""


class Bodies:
    """Those that are being read in one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._count = 0

    async def read(self, address: str, more: More, limit: int) -> bytes:
        """Returns the body, or its first `limit` + 1 bytes if it is longer. Raises `TooSlow`."""
        started = asyncio.get_running_loop().time()
        body = bytearray()
        try:
            async with asyncio.timeout_at(started + FREE_SECONDS) as deadline:
                self._enter(address, deadline)
                try:
                    while (piece := await more()) is not None:
                        body += piece
                        if len(body) > limit:
                            break
                        deadline.reschedule(started + min(READ_SECONDS, FREE_SECONDS + len(body) / BYTES_A_SECOND))
                finally:
                    self._leave(address, deadline)
        except TimeoutError:
            raise TooSlow from None
        return bytes(body[: limit + 1])

    def _enter(self, address: str, deadline: asyncio.Timeout) -> None:
        waiting = self._waiting.setdefault(address, {})
        waiting[deadline] = asyncio.get_running_loop().time()
        self._count += 1
        while len(waiting) > AT_A_TIME_EACH and self._end_oldest(address):
            pass
        while self._count > AT_A_TIME and self._end_oldest(self._largest()):
            pass

    def _largest(self) -> str:
        return max(self._waiting, key=lambda each: len(self._waiting[each]))

    def _end_oldest(self, address: str) -> bool:
        """Ends the oldest of the address; False if that has just come."""
        now = asyncio.get_running_loop().time()
        oldest, came = next(iter(self._waiting[address].items()))
        if now - came < SPARED_SECONDS:
            return False
        self._leave(address, oldest)
        oldest.reschedule(now)
        return True

    def _leave(self, address: str, deadline: asyncio.Timeout) -> None:
        """Does nothing for one that has been ended."""
        waiting = self._waiting.get(address, {})
        if deadline not in waiting:
            return
        del waiting[deadline]
        self._count -= 1
        if not waiting:
            del self._waiting[address]
