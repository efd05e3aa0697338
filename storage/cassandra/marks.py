"""Done marks, written behind and together: nobody waits for one before going on to the next order.

Up to TOGETHER marks are one request; fewer, when the first of them is GATHER_SECONDS old. So where workers are busy an
order costs the store one request less. That is all that those of a request share: each has its own time.

A mark that is lost, as its process was killed or the store did not take it, leaves its order open: the sweeper sends it
again, and it is worked off twice, which shows nothing twice. Until then the watermark stays below it, which is the safe
side. One that is late has the time at which it was made, so it loses to whatever opened the order again since.

A process sees its own: whoever reads an order waits for its mark, and whoever looks for open ones for all. And no more
than UNDER_WAY requests are waited for, so that a store that is slow slows its workers.
"""

import atexit
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from storage.cassandra import session
from storage.cassandra.session import TOGETHER, Row, Statement
from storage.process import start_anew_after_fork

GATHER_SECONDS = 0.2
"""Orders are swept when they are seconds old, and the watermark is farther behind."""
UNDER_WAY = 4

logger = logging.getLogger(__name__)


class _Request:
    """Marks that go together. Thread-safe: whoever is first sends them, and whoever else waits."""

    def __init__(self, marks: Mapping[int, Statement]) -> None:
        self.order_ids = frozenset(marks)
        self._statements = list(marks.values())
        self._lock = threading.Lock()
        self._wait: Callable[[], list[Row]] | None = None
        self._has_ended = False

    def send(self) -> None:
        """Returns once it is under way."""
        with self._lock:
            self._send()

    def end(self) -> None:
        """Returns once it was answered. What has become of it is no fault of the order that is read now."""
        with self._lock:
            self._send()
            if self._wait is not None and not self._has_ended:
                self._try(self._wait)
            self._has_ended = True

    def _send(self) -> None:
        if self._wait is None and not self._has_ended:
            self._try(self._begin)

    def _begin(self) -> None:
        self._wait = session.write_soon(self._statements)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:
            self._has_ended = True
            logger.info("done marks were lost, their orders will be done again: %s", type(error).__name__)


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
        self._sent: list[_Request] = []
        """Oldest first, those that may not have been answered."""

    def make(self, order_id: int, mark: Statement) -> None:
        """Has the mark written within GATHER_SECONDS. Raises nothing; waits only while UNDER_WAY requests are not
        answered."""
        with self._lock:
            self._gathered[order_id] = mark
            count = len(self._gathered)
        if count >= TOGETHER or (count == 1 and not self._is_timed()):
            self._send()
            self._wait_for(UNDER_WAY)

    def settle(self, order_id: int | None = None) -> None:
        """Waits for the mark of that order, if one was made; of all orders, if none is named. What could not be written
        is passed over. Costs nothing if there is none."""
        with self._lock:
            is_gathered = bool(self._gathered) if order_id is None else order_id in self._gathered
        if is_gathered:
            self._send()
        with self._lock:
            sent = [each for each in self._sent if order_id is None or order_id in each.order_ids]
        self._end(sent)

    def _is_timed(self) -> bool:
        timer = threading.Timer(GATHER_SECONDS, self._send_and_wait)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread is left
            return False
        return True

    def _send_and_wait(self) -> None:
        """What could not be sent, since the store was away for a moment, is sent when it is waited for."""
        self._send()
        self._wait_for(0)

    def _send(self) -> None:
        """They stand among what was sent before they leave what is gathered: nobody who looks misses them."""
        with self._lock:
            items = list(self._gathered.items())
            requests = [_Request(dict(items[start : start + TOGETHER])) for start in range(0, len(items), TOGETHER)]
            self._gathered.clear()
            self._sent += requests
        for request in requests:
            request.send()

    def _wait_for(self, left: int) -> None:
        with self._lock:
            oldest = self._sent[: max(0, len(self._sent) - left)]
        self._end(oldest)

    def _end(self, requests: Sequence[_Request]) -> None:
        for request in requests:
            request.end()
            with self._lock, suppress(ValueError):  # another thread was faster
                self._sent.remove(request)


def _settle_at_exit() -> None:
    """Nothing is connected for it: what the session did not take is lost."""
    if session.is_open():
        marks.settle()


marks = Marks()
atexit.register(_settle_at_exit)
