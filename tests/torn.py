"""Writes that break off: after so many rows, wherever that is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from storage.cassandra import session
from storage.cassandra.session import Statement
from storage.errors import Unavailable


class Torn:
    """What became of the writes: `broke`, and how many rows were written."""

    def __init__(self, rows: int, *, backwards: bool) -> None:
        self.written = 0
        self.broke = False
        self._rows = rows
        self._backwards = backwards

    def write_all(self, statements: Sequence[Statement], *, timeout_seconds: float | None = None) -> None:
        """One row at a time, as far as it goes: of what is sent together, any part may be written."""
        for cql, params in reversed(statements) if self._backwards else statements:
            if self.written == self._rows:
                self.broke = True
                raise Unavailable("cassandra")
            session.execute(cql, params)
            self.written += 1


@contextmanager
def torn_after(rows: int, *, backwards: bool = False) -> Iterator[Torn]:
    """Inside, the store does not answer a write after so many rows; what nobody waits for is lost from then on."""
    torn = Torn(rows, backwards=backwards)

    def unwaited(cql: str, params: Sequence[object]) -> None:
        if not torn.broke:
            session.execute(cql, params)

    with patch.object(session, "write_all", torn.write_all), patch.object(session, "write_unwaited", unwaited):
        yield torn
