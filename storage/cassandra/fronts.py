"""How far the orders of a minute are known to be done, so that sweeps do not read these again and again.

A sweep looks every second or two, and nearly all that stands in the last minutes is done. So each process keeps a
*front* for each shard and minute that it sweeps: up to there all rows were seen done, and had settled before they were
read (storage/ids/settling.py).

For example, at second 30 of a minute the rows 1 to 900 stand, of which 700 is open and those above 600 are younger than
SETTLE_SECONDS. A sweep reads all of them, and the front is 600: the next one begins there. Once 700 is done and has
settled the front goes on.

**What it may miss, for FRONT_SECONDS**: a row that appears below the front, since its writer stood still for longer
than SETTLE_SECONDS or repeats an old id, and has sent it; and an order that is opened again (a dead letter). Whoever
has to know, and not only to be quick (watermarks, proofs, discarding, figures), reads anew.
"""

import threading
from time import monotonic

import msgspec
from cachetools import LRUCache

FRONT_SECONDS = 15.0

Place = tuple[int, int]
"""(shard, minute)."""


class Front(msgspec.Struct, eq=False):
    """Up to which id nothing of a place is open, and until when that counts."""

    up_to: int
    ends: float


class Fronts:
    """Those of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fronts: LRUCache[Place, Front] = LRUCache(256)

    def begin(self, place: Place) -> Front:
        """Returns the front to read from; a new one, of nothing, where none counts. To be moved, or let go."""
        now = monotonic()
        with self._lock:
            front = self._fronts.get(place)
        return front if front is not None and now < front.ends else Front(0, now + FRONT_SECONDS)

    def move(self, place: Place, front: Front, up_to: int) -> None:
        """Hears that all of the place up to this id was seen done by who read from that front, and had settled before.

        Of one that was overtaken by who has read anew nothing is kept.
        """
        with self._lock:
            known = self._fronts.get(place)
            if known is None or (known is not front and monotonic() >= known.ends):
                self._fronts[place] = front
            front.up_to = max(front.up_to, up_to)

    def forget(self) -> None:
        """Makes the process as if it had just started."""
        with self._lock:
            self._fronts.clear()


fronts = Fronts()
