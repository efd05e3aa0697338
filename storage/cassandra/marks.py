"""Done marks, written behind and together: nobody waits for one before going on to the next order.

Up to TOGETHER marks are one request; fewer, when the first of them is GATHER_SECONDS old. So where workers are busy an
order costs the store one request less. That is all that those of a request share: each has its own time.

A mark that is lost, as its process was killed or the store did not take it, leaves its order open: the sweeper sends it
again, and it is worked off twice, which shows nothing twice. Until then the watermark stays below it, which is the safe
side. One that is late has the time at which it was made, so it loses to whatever opened the order again since.

A process sees its own: whoever reads orders waits for what was marked before. And no more than UNDER_WAY requests are
waited for, so that a store that is slow slows its workers.
"""

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from storage.cassandra import session
from storage.cassandra.session import TOGETHER, Row, Statement
from storage.process import start_anew_after_fork

GATHER_SECONDS = 0.2
"""Orders are swept when they are seconds old, and the watermark is farther behind."""
UNDER_WAY = 4

logger = logging.getLogger(__name__)


class Marks:
    """Those that this process has made. Thread-safe."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves a parent's to the parent in a forked child."""
        self._lock = threading.Lock()
        self._gathered: dict[int, Statement] = {}
        """By their orders."""
        self._sent: deque[tuple[frozenset[int], Callable[[], list[Row]]]] = deque()

    def make(self, order_id: int, mark: Statement) -> None:
        """Has the mark written within GATHER_SECONDS. Raises nothing; waits only while UNDER_WAY requests are not
        answered."""
        with self._lock:
            self._gathered[order_id] = mark
            count = len(self._gathered)
        if count >= TOGETHER or (count == 1 and not self._is_timed()):
            self._send()

    def settle(self, order_id: int | None = None) -> None:
        """Waits for what was made before; if an order is named, only where that is among it. What could not be written
        is passed over. Costs nothing if there is none."""
        with self._lock:
            made = {*self._gathered, *(each for ids, _ in self._sent for each in ids)}
        if made and (order_id is None or order_id in made):
            self._send()
            self._wait_for(0)

    def _is_timed(self) -> bool:
        timer = threading.Timer(GATHER_SECONDS, self._send)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread is left
            return False
        return True

    def _send(self) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, {}
            if gathered:
                self._sent.append((frozenset(gathered), session.write_soon(list(gathered.values()))))
        self._wait_for(UNDER_WAY)

    def _wait_for(self, left: int) -> None:
        with suppress(IndexError):
            while len(self._sent) > left:
                _end(self._sent.popleft()[1])


def _end(wait: Callable[[], list[Row]]) -> None:
    """Whatever has become of a mark is no fault of the order that is read now."""
    try:
        wait()
    except Exception as error:
        logger.info("done marks were lost, and their orders will be worked off again: %s", type(error).__name__)


def _settle_at_exit() -> None:
    """Nothing is connected for it: what the session did not take is lost."""
    if session.is_open():
        marks.settle()


marks = Marks()
atexit.register(_settle_at_exit)
