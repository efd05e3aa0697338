"""Writes to Redis that it could not take, made as soon as it answers this process again.

Whoever changes something tells Redis before the request is answered, so that the change is in
force. If Redis does not answer then, an order in the outbox makes it good, once beat, a worker,
the broker and the store have worked together: some seconds after the return of Redis, and longer
if one of them fails in just these seconds. The process that made the change needs none of them:
it keeps what it could not tell in memory, and tells it within a second or two of the return.

This is the fast path only. What is lost with the process, or pushed out of the bounded memory, is
still an order. So a deferred write has to be right at any later time, and any number of
times: guards, a fresh graph version, nothing that was read before.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from storage.breakers import Breaker, State
from storage.errors import Unavailable
from storage.process import start_anew_after_fork
from storage.redis.node import timeline_node

PAUSE_SECONDS = 1.0
"""Before it is tried for the first time, and after each lap in which something failed."""
LOOK_SECONDS = 0.1
"""How often it is looked whether the breaker has closed."""
KEPT = 10_000
"""What the writes of an outage leave at most; about 5 MB. The oldest goes first."""

DeferredWrite = Callable[[], object]
"""Raises `Unavailable` when it has to be tried again."""

log = structlog.get_logger(__name__)


class DeferredWrites:
    """The writes that one process still owes one backend. Thread-safe; a forked child begins with nothing.

    A thread is there only while there is something to tell.
    """

    def __init__(self, breaker: Callable[[], Breaker]) -> None:
        self._breaker = breaker
        self.start_anew()
        start_anew_after_fork(self)

    def keep(self, write: DeferredWrite) -> None:
        """Calls `write` in a second or later, again and again until it does not raise `Unavailable`.

        In the order in which they came, but that what failed comes after what waits: of a cluster one node may be down
        that the others' writes do not need. Never blocks, never raises.
        """
        with self._lock:
            self._waiting.append(write)
            if self._thread is None:
                self._start()

    def forget(self) -> None:
        """Drops everything that waits."""
        with self._lock:
            self._waiting.clear()

    def start_anew(self) -> None:
        """Begins with nothing: what the parent keeps the parent tells, and its thread is not here."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiting: deque[DeferredWrite] = deque(maxlen=KEPT)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="deferred-writes", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("deferred_write_failed", error=str(error))
        else:
            self._thread = thread

    def _run(self) -> None:
        """Goes through what waits, a lap after the other."""
        failed = True
        while (left := self._lap()) > 0:
            if failed:
                time.sleep(PAUSE_SECONDS)
            failed = False
            for _ in range(left):
                write = self._next()
                failed |= write is not None and not self._carried_out(write)

    def _lap(self) -> int:
        """How many wait now; with none the thread ends."""
        with self._lock:
            if not self._waiting:
                self._thread = None
            return len(self._waiting)

    def _next(self) -> DeferredWrite | None:
        """The oldest, once the backend may be asked; None if it was forgotten meanwhile."""
        while self._breaker().state is not State.CLOSED:
            time.sleep(LOOK_SECONDS)
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _carried_out(self, write: DeferredWrite) -> bool:
        try:
            write()
        except Unavailable:
            with self._lock:
                self._waiting.append(write)
            return False
        except Exception as error:
            log.warning("deferred_write_failed", error=type(error).__name__)
        return True


timeline_writes = DeferredWrites(lambda: timeline_node().breaker)
"""The process's own, for the timelines' Redis."""
