"""How many sockets a reader may have over all processes, beside what each process knows by itself (places.py).

A socket that signs in asks; one that has left is told of within TELL_SECONDS, and everybody's count again before what
was said of it ends. While Redis is away each process's own bound holds. It belongs to the event loop.
"""

import asyncio
import time
from collections.abc import Iterable

import structlog

from fanout.live.sockets import KEPT_SECONDS, SocketCounts
from feed.live.places import SOCKETS_A_READER, Places, places
from feed.live.threads import housekeeping
from storage.errors import Unavailable

TELL_SECONDS = 0.5
REFRESH_SECONDS = KEPT_SECONDS / 3
READERS_A_TRIP = 500

log = structlog.get_logger(__name__)


class SharedPlaces:
    """The places that the readers of one process have, among all processes."""

    def __init__(self, of_process: Places) -> None:
        self._places = of_process
        self._counts = SocketCounts()
        self._stale: set[int] = set()
        """Readers of whom something else was said than there is."""
        self._refresh_at = 0.0

    async def has_place(self, reader_id: int) -> bool:
        """Returns whether a reader whose new socket was counted here has not too many now. A Redis round trip.

        It is told again soon: what was said here may have come behind that the socket has left, or not at all.
        """
        own = self._places.sockets_of(reader_id)
        try:
            others = await housekeeping(self._counts.tell, {reader_id: own})
        except Unavailable:
            log.warning("sockets_counted_without_redis")
            return True
        finally:
            self._stale.add(reader_id)
        return own + others[reader_id] <= SOCKETS_A_READER

    def left(self, reader_id: int) -> None:
        """Has it told that a socket of the reader's is gone."""
        self._stale.add(reader_id)

    async def keep_telling(self) -> None:
        """Tells what has changed, and everything again in time; READERS_A_TRIP a round trip. Raises `Unavailable`."""
        await asyncio.sleep(TELL_SECONDS)
        if time.monotonic() >= self._refresh_at:
            self._refresh_at = time.monotonic() + REFRESH_SECONDS
            self._stale.update(self._places.readers())
        stale = list(self._stale)
        for start in range(0, len(stale), READERS_A_TRIP):
            await self._tell(stale[start : start + READERS_A_TRIP])

    async def _tell(self, readers: Iterable[int]) -> None:
        counts = {reader: self._places.sockets_of(reader) for reader in readers}
        self._stale.difference_update(counts)
        try:
            await housekeeping(self._counts.tell, counts)
        except Unavailable:
            self._stale.update(counts)
            raise


shared_places = SharedPlaces(places)
