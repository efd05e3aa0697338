"""Rows that nothing ever removes or changes, such as that an author has something in a month.

They are written with every row that they list, as it may be the first. A process leaves one out once a write of its
own with the same row was acknowledged: it then stands at a quorum. So in a month an author's listing costs each process
one write.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cachetools import LRUCache

from storage.cassandra.session import Statement

REMEMBERED = 20_000
"""Rows that this process knows to stand, some 8 MB; forgetting one costs a repeated write."""


class Lasting(NamedTuple):
    """A statement that writes such a row; its last value is its timestamp, which does not matter."""

    cql: str
    params: Sequence[object]


class Known:
    """What one process knows to stand. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: LRUCache[tuple[object, ...], bool] = LRUCache(REMEMBERED)

    def left_to_write(self, statements: Iterable[Statement]) -> list[Statement]:
        """Returns the statements without those whose row is known to stand."""
        with self._lock:
            return [each for each in statements if not (isinstance(each, Lasting) and _row(each) in self._rows)]

    def remember(self, statements: Iterable[Statement]) -> None:
        """To be called once a write of the statements was acknowledged, and only then."""
        with self._lock:
            for each in statements:
                if isinstance(each, Lasting):
                    self._rows[_row(each)] = True

    def forget(self) -> None:
        """Makes the process as if it had just started."""
        with self._lock:
            self._rows.clear()


def _row(statement: Lasting) -> tuple[object, ...]:
    return (statement.cql, *statement.params[:-1])
