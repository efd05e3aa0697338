"""Telling Redis later what it could not be told, as soon as it answers this process again.

Whoever changes something tells Redis before the request is answered, so that the change is in
force. If Redis does not answer then, an order in the outbox makes it good, once beat, a worker,
the broker and the store have worked together: some seconds after the return of Redis, and longer
if one of them fails in just these seconds. The process that made the change needs none of them:
it keeps what it could not tell in memory, and tells it within a second or two of the return.

This is the fast path only. What is lost with the process, or pushed out of the bounded memory, is
still an order. So what is told again has to be right at any later time, and any number of
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
"""Before it is tried for the first time, and after each failure."""
LOOK_SECONDS = 0.1
"""How often it is looked whether the breaker has closed."""
KEPT = 10_000
"""What the writes of an outage leave at most; about 5 MB. The oldest goes first."""

Telling = Callable[[], object]
"""Raises `Unavailable` when it has to be tried again."""

log = structlog.get_logger(__name__)


class DeferredWrites:
    """What one process has to tell one backend. Thread-safe; a forked child begins with nothing.

    A thread is there only while there is something to tell.
    """

    def __init__(self, breaker: Callable[[], Breaker]) -> None:
        self._breaker = breaker
        self.start_anew()
        start_anew_after_fork(self)

    def keep(self, telling: Telling) -> None:
        """Calls `telling` in a second or later, again and again until it does not raise `Unavailable`.

        Never blocks, never raises.
        """
        with self._lock:
            self._untold.append(telling)
            if self._thread is None:
                self._start()

    def forget(self) -> None:
        """Leaves nothing to be told."""
        with self._lock:
            self._untold.clear()

    def start_anew(self) -> None:
        """Begins with nothing: what the parent keeps the parent tells, and its thread is not here."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._untold: deque[Telling] = deque(maxlen=KEPT)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="retelling", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("retelling_failed", error=str(error))
        else:
            self._thread = thread

    def _run(self) -> None:
        time.sleep(PAUSE_SECONDS)
        while (telling := self._next()) is not None:
            if not self._told(telling):
                time.sleep(PAUSE_SECONDS)

    def _next(self) -> Telling | None:
        """The oldest, once the backend may be asked; with None the thread ends."""
        while self._breaker().state is not State.CLOSED:
            time.sleep(LOOK_SECONDS)
        with self._lock:
            if self._untold:
                return self._untold.popleft()
            self._thread = None
            return None

    def _told(self, telling: Telling) -> bool:
        try:
            telling()
        except Unavailable:
            with self._lock:
                self._untold.appendleft(telling)
            return False
        except Exception as error:
            log.warning("retelling_failed", error=type(error).__name__)
        return True


timeline_writes = DeferredWrites(lambda: timeline_node().breaker)
"""The process's own, for the timelines' Redis."""
