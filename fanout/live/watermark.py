"""The watermark: the id below which everything is visible, which makes a cursor safe to resume from.

Order of ids is order of birth, not of visibility: a tweet is in timelines when its order was
worked off, and orders overtake each other. So the watermark is no newer than now minus
SETTLE_SECONDS (storage/ids/settling.py), and no newer than the oldest order still open.

An example: tweets 10, 11 and 12 were posted a minute ago, the orders of 10 and 12 are done, that
of 11 waits. A client that has been shown 12 and resumed from there would never see 11. The
watermark is 10, so it resumes from 10, sees 12 a second time, and drops it by its id.

**Read once for all processes.** To know the oldest open order costs the store a read of all that the last minutes
hold, and every live process needs it each second. So the task that looks through the outbox now and then tells what it
found (`tell_watermark`), in Redis, for TOLD_SECONDS from when it began to look; a process goes by that, and reads the
store itself while nobody tells. What was told is some seconds old, which is safe. Whose clock is ahead misleads nobody:
no process goes beyond what had settled by its own clock when the outbox was read, which what is left of TOLD_SECONDS
says, but for a teller's standing still between its last look at the clock and the telling.
"""

import contextlib
import threading
import time

from storage.errors import Unavailable
from storage.ids.settling import settled_place
from storage.redis.node import timeline_node
from storage.stores import outbox

WATERMARK_SECONDS = 1.0
"""How long a process goes by the watermark it has read."""
TOLD_SECONDS = 10.0
"""How long what was told stands: five of the looks that tell it."""
TOLD_KEY = "live:watermark"


class Watermark:
    """This process's knowledge of the watermark, asked for at most once a second. Thread-safe.

    While neither Redis nor the store answers, the last one stands: too old is safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Makes the process as if it had just started."""
        self._value = 0
        self._read_at = -WATERMARK_SECONDS

    def read(self) -> int:
        """Returns the watermark, 0 when nobody has ever answered. Costs a round trip a second and process; a store
        read as well while nobody tells it."""
        with self._lock:
            if time.monotonic() - self._read_at >= WATERMARK_SECONDS:
                with contextlib.suppress(Unavailable):
                    self._value = _told_watermark() or measured_watermark()
                self._read_at = time.monotonic()
            return self._value


def measured_watermark() -> int:
    """Returns the watermark as the outbox has it now. A store read, of all that stands there. Raises `Unavailable`."""
    settled = settled_place()
    oldest = outbox().oldest_open(before=settled + 1)
    return settled if oldest is None else min(settled, oldest - 1)


def tell_watermark() -> int:
    """Measures the watermark, has all processes go by it for TOLD_SECONDS, and returns it.

    A store read and a round trip. Raises `Unavailable` if the store does not answer; while Redis does not, nobody is
    told, and neither is what took longer than it would stand.
    """
    began = time.monotonic()
    place = measured_watermark()
    if (seconds := began + TOLD_SECONDS - time.monotonic()) > 0:
        with contextlib.suppress(Unavailable):
            _tell(place, seconds)
    return place


def _tell(place: int, seconds: float) -> None:
    timeline_node().round_trip(("SET", TOLD_KEY, place, "PX", max(1, int(seconds * 1_000))))


def _told_watermark() -> int | None:
    """Returns what was told last, and no more than had settled then by this process's clock; None if nothing is."""
    with contextlib.suppress(Unavailable):
        told, left_ms = timeline_node().round_trip(("GET", TOLD_KEY), ("PTTL", TOLD_KEY))
        if told is not None:
            return min(int(told), settled_place(seconds_ago=TOLD_SECONDS - max(0, left_ms) / 1_000))
    return None


watermark = Watermark()
