"""Finishing the writes that have no order, in Cassandra: what a process recorded and did not live to write.

Each has a row of the outbox with all that is owed (outbox.py), in shards of their own. Minutes that were seen closed
and wholly done are not read again.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

from cachetools import TTLCache

from storage.cassandra import redo, session
from storage.cassandra.fronts import Place
from storage.cassandra.order_rows import PAGE, listed_minutes
from storage.cassandra.session import Row, Statement
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us

logger = logging.getLogger(__name__)

Mark = Callable[[Place, int, int], Statement]
"""What marks the row of that place and name done, as of a time."""

MINUTE_US = 60_000_000
WRITE_SHARDS = range(64, 96)
"""Partitions that take a minute's writes without an order, most of which are likes: at 100,000 a second 60 MB each."""
LEFT_US = 15_000_000
"""A write without an order that is not finished after so long was left by its process: three times what it may take."""
FINISHED_AT_ONCE = 1_000
LOOKED_THROUGH_AT_ONCE = 256
"""Minutes of a shard that one finishing reads, beginning anywhere: it comes to all of them, and 32 shards have some 64
that are not known to be whole."""
FINISH_SECONDS = 10.0
"""A third of the time between two: what is left waits for the next, and nothing waits for this."""
WHOLE_SECONDS = 600
"""So long a minute is not read again that was seen wholly done: a process that stood still may add a row."""
REDO_US = 7 * 86_400_000_000
"""Nothing is done again that was recorded longer ago. Tombstones of what undid it stay for ten days (gc_grace_seconds);
after that it would come back."""

WHOLE = "SELECT kind, args, done, redo, WRITETIME(redo) FROM outbox WHERE shard = ? AND minute = ? AND id = ?"
"""An order's or a write's row, with what is owed to it."""
_WRITES = "SELECT id, done, WRITETIME(redo) FROM outbox WHERE shard = ? AND minute = ? AND id > ? LIMIT ?"

_whole: TTLCache[Place, bool] = TTLCache(4_096, WHOLE_SECONDS)
"""Minutes of writes without an order that this process has seen closed and wholly done."""
_lock = threading.Lock()


def finish_writes(now: int, *, mark: Mark) -> int:
    """Returns how many it finished, each then marked done by `mark`. What the store does not answer for is passed over.

    Raises `Unavailable` when it does not say which minutes there are. Costs a read of each PAGE of minutes that are not
    known to be whole; two and a write for each that was left.
    """
    finishing = _Finishing(now, mark)
    for place in _places_to_finish(now):
        if finishing.is_spent:
            break
        finishing.finish(place)
    if finishing.failed:
        logger.warning("%d writes cannot be finished yet", finishing.failed)
    return finishing.finished


def do_again(owed: bytes, written_us: int) -> None:
    """Writes what is owed, unless it is too old. Raises `Unavailable`, and whatever cannot be read."""
    if written_us < now_us() - REDO_US:
        logger.warning("a write of %d is too old to be done again", written_us)
        return
    session.write_all(redo.decode(owed))


def forget() -> None:
    """Forgets which minutes were whole; for whoever empties tables beneath it."""
    with _lock:
        _whole.clear()


class _Finishing:
    """One run through minutes of writes without an order."""

    def __init__(self, now: int, mark: Mark) -> None:
        self._mark = mark
        self.finished = 0
        self.failed = 0
        self._now = now
        self._ends = time.monotonic() + FINISH_SECONDS

    @property
    def is_spent(self) -> bool:
        return self.finished + self.failed >= FINISHED_AT_ONCE or time.monotonic() >= self._ends

    def finish(self, place: Place) -> None:
        """Finishes what was left there; remembers the place once nothing can be left in it any more."""
        is_whole = (place[1] + 1) * MINUTE_US + LEFT_US < self._now
        try:
            for name, done, written_us in _writes(place):
                if self.is_spent:
                    return
                if written_us is None or done:
                    continue
                was_left = written_us < self._now - LEFT_US
                is_whole = was_left and self._finish_one(place, name) and is_whole
        except Unavailable:
            self.failed += 1
            return
        if is_whole:
            with _lock:
                _whole[place] = True

    def _finish_one(self, place: Place, name: int) -> bool:
        """Whether it is finished. If not it stays, and the others are finished."""
        try:
            for _, _, _, owed, written_us in session.execute(WHOLE, (*place, name)):
                do_again(owed, written_us)
            session.execute(*self._mark(place, name, self._now))
        except Unavailable:
            self.failed += 1
            return False
        except Exception:
            logger.exception("a write of minute %d cannot be finished", place[1])
            self.failed += 1
            return False
        self.finished += 1
        return True


def _places_to_finish(now: int) -> list[Place]:
    """Minutes of writes without an order that are not known to be whole; some of them, if they are many."""
    listed = listed_minutes(up_to=now // MINUTE_US, shards=WRITE_SHARDS)
    with _lock:
        places = [(shard, minute) for shard, minutes in listed for minute in minutes if (shard, minute) not in _whole]
    start = random.randrange(len(places)) if places else 0  # noqa: S311 - a turn, not a secret
    return (places[start:] + places[:start])[:LOOKED_THROUGH_AT_ONCE]


def _writes(place: Place) -> Iterator[Row]:
    after = -1
    while True:
        rows = session.execute(_WRITES, (*place, after, PAGE))
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]
