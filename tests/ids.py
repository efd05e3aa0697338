"""Fresh ids and operations for tests, without a lease."""

import threading

from storage.ids.snowflakes import make_id, now_us

_lock = threading.Lock()
_last_us = 0


def new_id() -> int:
    """An id that no other test has, greater than every one before it."""
    global _last_us
    with _lock:
        _last_us = max(now_us(), _last_us + 1)
        return make_id(_last_us, 4095)
