"""A connected cluster, and the statements that are prepared on it."""

import threading
from collections.abc import Sequence

from cassandra.cluster import Cluster, Session
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

Statement = tuple[str, Sequence[object]]
"""CQL with `?` in it, and the values for them."""


class Opened:
    """A connected cluster with the statements prepared on it."""

    def __init__(self, cluster: Cluster, session: Session) -> None:
        self.cluster = cluster
        self.session = session
        self._prepared: dict[str, PreparedStatement] = {}
        self._lock = threading.Lock()

    def bind(self, cql: str, params: Sequence[object], *, idempotent: bool = True) -> BoundStatement:
        """Returns the statement with its values; prepares it when it is first asked for, which is a round trip."""
        statement = self._prepared.get(cql) or self._prepare(cql)
        bound = statement.bind(params)
        bound.is_idempotent = idempotent
        return bound

    def bind_together(self, statements: Sequence[Statement]) -> BoundStatement | BatchStatement:
        """Returns several in one request, which is all that they share."""
        if len(statements) == 1:
            return self.bind(*statements[0])
        together = BatchStatement(batch_type=BatchType.UNLOGGED)
        for cql, params in statements:
            together.add(self.bind(cql, params))
        together.is_idempotent = True
        return together

    def _prepare(self, cql: str) -> PreparedStatement:
        with self._lock:
            if cql not in self._prepared:
                self._prepared[cql] = self.session.prepare(cql)
            return self._prepared[cql]
