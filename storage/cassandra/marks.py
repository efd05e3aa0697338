"""Done marks, written behind: nobody waits for one before going on to the next order.

A mark that is lost, as its process was killed or the store did not take it, leaves its order open: the sweeper sends it
again, and it is worked off twice, which shows nothing twice. Until then the watermark stays below it, which is the safe
side. One that is late has the time at which it was made, so it loses to whatever opened the order again since.

A process sees its own: whoever reads orders waits for what was sent before. So no more are under way than orders were
worked off between two reads, of which a worker makes one for each, and a store that is slow slows its workers. By
then the answer has mostly come.
"""

import atexit
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from storage.cassandra import session
from storage.cassandra.session import Row, Statement
from storage.process import start_anew_after_fork

logger = logging.getLogger(__name__)


class Marks:
    """Those that this process has sent. Thread-safe."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves a parent's to the parent in a forked child."""
        self._sent: deque[Callable[[], list[Row]]] = deque()

    def send(self, mark: Statement) -> None:
        """Sends a mark, and returns. Raises nothing."""
        self._sent.append(session.execute_soon(*mark))

    def settle(self) -> None:
        """Waits for what was sent before. What could not be written is passed over. Costs nothing if there is none."""
        with suppress(IndexError):
            while True:
                _end(self._sent.popleft())


def _end(wait: Callable[[], list[Row]]) -> None:
    """Whatever has become of a mark is no fault of the order that is read now."""
    try:
        wait()
    except Exception as error:
        logger.info("a done mark was lost, and its order will be worked off again: %s", type(error).__name__)


def _settle_at_exit() -> None:
    """Nothing is connected for it: what the session did not take is lost."""
    if session.is_open():
        marks.settle()


marks = Marks()
atexit.register(_settle_at_exit)
