"""How far the orders of a minute are known to be done, so that whoever looks for open ones does not read these again.

Sweeps and watermarks look every second or two, and nearly all that stands in the last minutes is done. So each process
keeps a *front* for each shard and minute that it reads: up to there all rows are done, and none appears any more.

For example, at second 30 of a minute the rows 1 to 900 stand, of which 700 is open and those above 600 are younger than
SETTLE_SECONDS. A look reads all of them, and the front is 600: the next one begins there. Once 700 is done and has
settled the front goes on.

**What it may miss**, and for how long. A row that appears below the front, as its writer stood still for longer than
SETTLE_SECONDS or repeats an old id, is found by a sweep when the front is forgotten, FRONT_SECONDS after it was first
kept; meanwhile its writer has sent it. An order that is opened again (a dead letter, minutes old by then) is found at
once: fronts are of the last RECENT_MINUTES only.
"""

import threading
import time

import msgspec
from cachetools import LRUCache

from storage.ids.settling import SETTLE_SECONDS
from storage.ids.snowflakes import make_id, now_us

FRONT_SECONDS = 30.0
RECENT_MINUTES = 2
"""Before this one. Attempts at an order that fails go on for longer (fanout/orders/attempts.py)."""

Place = tuple[int, int]
"""(shard, minute)."""


class _Front(msgspec.Struct):
    up_to: int
    ends: float


class Fronts:
    """Those of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fronts: LRUCache[Place, _Front] = LRUCache(256)

    def of(self, place: Place) -> int:
        """Returns the id up to which nothing of the place is open, 0 if that is unknown."""
        with self._lock:
            front = self._fronts.get(place)
            return front.up_to if front is not None and time.monotonic() < front.ends else 0

    def move(self, place: Place, up_to: int) -> None:
        """Hears that all of the place up to this id was seen done."""
        now = now_us()
        if place[1] < now // 60_000_000 - RECENT_MINUTES:
            return
        up_to = min(up_to, make_id(now - SETTLE_SECONDS * 1_000_000, 0))
        with self._lock:
            front = self._fronts.get(place)
            if front is None or time.monotonic() >= front.ends:
                self._fronts[place] = _Front(up_to, time.monotonic() + FRONT_SECONDS)
            else:
                front.up_to = max(front.up_to, up_to)

    def forget(self) -> None:
        """Makes the process as if it had just started."""
        with self._lock:
            self._fronts.clear()


fronts = Fronts()
