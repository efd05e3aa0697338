"""Telling behind: what is only told to operators is written by a thread of its own, so that nobody who asked waits.

The line of a request, and what it counts, are a dozen small steps that no request needs. Made one request after the
other they cost several times what they cost forty in a row, when code and memory are at hand. So a web process notes
what is to be told, and every TELL_SECONDS a thread tells all of it.

Elsewhere nothing is put off: a process that does not `begin` tells at once, as workers, commands and tests do.

**What may be lost** is what a process noted in its last TELL_SECONDS, if it is killed; one that ends tells all first.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from storage.process import start_anew_after_fork

TELL_SECONDS = 0.05
MOST = 10_000
"""Noted ones; who notes more tells them first. Some 5 MB."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Teller:
    """What one process has noted. Thread-safe; a forked child begins with nothing, and at once."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves a parent's to the parent in a forked child."""
        self._noted: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._came = threading.Event()
        self._is_behind = False

    def begin(self) -> None:
        """Has everything told behind from now on. Without a thread to be had, at once as before."""
        thread = threading.Thread(target=self._run, name="telling", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("telling_at_once", error=str(error))
        else:
            self._is_behind = True

    def end(self) -> None:
        """Has told what was noted, and everything told at once from now on: by who ends, and may yet answer."""
        self._is_behind = False
        self.flush()

    def tell(self, what: Callable[[T], object], of: T) -> None:
        """Has `what` called with `of`, in the order in which it was noted. Neither may raise nor wait."""
        if not self._is_behind:
            what(of)
            return
        self._noted.append((what, of))
        if not self._came.is_set():
            self._came.set()
        if len(self._noted) > MOST:
            self.flush()

    def flush(self) -> None:
        """Tells what was noted so far. For who reads figures."""
        for _ in range(len(self._noted)):
            try:
                what, of = self._noted.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                what(of)
            except Exception as error:
                log.warning("not_told", error=type(error).__name__)

    def _run(self) -> None:
        while True:
            self._came.wait()
            time.sleep(TELL_SECONDS)
            self._came.clear()
            self.flush()


teller = Teller()
