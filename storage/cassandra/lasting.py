"""Rows that nothing ever removes or changes, such as that an author has something in a month.

They are written with every row that they list, as it may be the first. A process leaves one out once a write of its
own with the same row was acknowledged: it then stands at a quorum. So in a month an author's listing costs each process
one write.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cachetools import LRUCache

from storage.cassandra.session import Statement

REMEMBERED = 20_000
"""Rows of a table that this process knows to stand, 5 MB; forgetting one costs a repeated write. Each
table has its own, so that many hashtags do not have every author's months written again."""


class Lasting(NamedTuple):
    """A statement that writes such a row; its last value is its timestamp, which does not matter."""

    cql: str
    params: Sequence[object]


class Known:
    """What one process knows to stand. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: defaultdict[str, LRUCache[tuple[object, ...], bool]] = defaultdict(lambda: LRUCache(REMEMBERED))
        """By statement."""

    def left_to_write(self, statements: Iterable[Statement]) -> list[Statement]:
        """Returns the statements without those whose row is known to stand."""
        with self._lock:
            return [each for each in statements if not (isinstance(each, Lasting) and self._stands(each))]

    def remember(self, statements: Iterable[Statement]) -> None:
        """To be called once a write of the statements was acknowledged, and only then."""
        with self._lock:
            for each in statements:
                if isinstance(each, Lasting):
                    self._rows[each.cql][_row(each)] = True

    def forget(self) -> None:
        """Makes the process as if it had just started."""
        with self._lock:
            self._rows.clear()

    def _stands(self, row: Lasting) -> bool:
        return _row(row) in self._rows[row.cql]


def _row(statement: Lasting) -> tuple[object, ...]:
    return tuple(statement.params[:-1])
