"""The watermark: the id below which everything is visible, which makes a cursor safe to resume from.

Order of ids is order of birth, not of visibility: a tweet is in timelines when its order was
worked off, and orders overtake each other. So the watermark is no newer than now minus
SETTLE_SECONDS (storage/ids/settling.py), and no newer than the oldest order still open.

An example: tweets 10, 11 and 12 were posted a minute ago, the orders of 10 and 12 are done, that
of 11 waits. A client that has been shown 12 and resumed from there would never see 11. The
watermark is 10, so it resumes from 10, sees 12 a second time, and drops it by its id.
"""

import contextlib
import threading
import time

from storage.errors import Unavailable
from storage.ids.settling import settled_place
from storage.stores import outbox

WATERMARK_SECONDS = 1.0
"""How long a process goes by the watermark it has read."""


class Watermark:
    """This process's knowledge of the watermark, read from the outbox at most once a second. Thread-safe.

    While the store does not answer, the last one stands: too old is safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Makes the process as if it had just started."""
        self._value = 0
        self._read_at = -WATERMARK_SECONDS

    def read(self) -> int:
        """Returns the watermark, 0 when the store has never answered. Costs a store read a second and process."""
        with self._lock:
            if time.monotonic() - self._read_at >= WATERMARK_SECONDS:
                with contextlib.suppress(Unavailable):
                    self._value = _fresh_watermark()
                self._read_at = time.monotonic()
            return self._value


def _fresh_watermark() -> int:
    settled = settled_place()
    oldest = outbox().oldest_open(before=settled + 1)
    return settled if oldest is None else min(settled, oldest - 1)


watermark = Watermark()
