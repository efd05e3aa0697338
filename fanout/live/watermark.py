"""The watermark: the id below which everything is visible, which makes a cursor safe to resume from.

Order of ids is order of birth, not of visibility: a tweet is in timelines when its order was
worked off, and orders overtake each other. So the watermark is no newer than now minus
SETTLE_SECONDS (storage/ids/settling.py), and no newer than the oldest order still open.

An example: tweets 10, 11 and 12 were posted a minute ago, the orders of 10 and 12 are done, that
of 11 waits. A client that has been shown 12 and resumed from there would never see 11. The
watermark is 10, so it resumes from 10, sees 12 a second time, and drops it by its id.

**Read once for all processes.** To know the oldest open order costs the store a read of all that the last minutes
hold, and every live process needs it each second. So the task that looks through the outbox now and then tells what it
found (`tell`), in Redis, for TOLD_SECONDS; a process goes by that, and reads the store itself while nobody tells. What
was told is some seconds old, which is safe; and no process goes by a clock that is ahead of its own.
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
TOLD_SECONDS = 10
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


def tell_watermark(place: int) -> None:
    """Has all processes go by this watermark, for TOLD_SECONDS. One round trip. Raises `Unavailable`."""
    timeline_node().round_trip(("SET", TOLD_KEY, place, "EX", TOLD_SECONDS))


def _told_watermark() -> int | None:
    """Returns what was told last, and no more than has settled by this process's clock; None if nothing is."""
    with contextlib.suppress(Unavailable):
        [told] = timeline_node().round_trip(("GET", TOLD_KEY))
        return min(int(told), settled_place()) if told is not None else None
    return None


watermark = Watermark()
