"""How many reads of the search's index a process has under way: a slow one holds as many of its threads, and no more.

An index that answers within milliseconds is hardly ever asked by three threads at once. One that takes all the time
it has, without failing, would otherwise be waited for by every thread of the server, whoever asks, and so would
everything else. It is no quota, and RATE_LIMITS=off does not switch it off.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from storage.errors import Crowded
from storage.process import start_anew_after_fork

AT_ONCE = 2
"""Of the four threads or more that a web process has (config/web.py)."""


class SearchTurns:
    """The turns of this process. Thread-safe; all free in a forked child."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Frees every turn."""
        self._free = threading.BoundedSemaphore(self._at_once)

    @contextmanager
    def turn(self) -> Generator[None]:
        """Stands around a read of the index. Raises `Crowded` at once when as many are under way as may be."""
        free = self._free
        if not free.acquire(blocking=False):
            raise Crowded("searching")
        try:
            yield
        finally:
            free.release()


TURNS = SearchTurns(AT_ONCE)
