"""Django's PostgreSQL, with a bound on how long an answer is waited for.

`statement_timeout` is kept by the server: one that hangs does not keep it, and the driver waits for
ever by default. A connection that has waited ANSWER_SECONDS, or what its settings say by that name, is given up and
closed.

The server's own bound belongs to the role (`bound_statements`, which `manage.py migrate` calls): PgBouncer refuses it
when a connection begins, and what is set for a session there is another client's a moment later. Migrations are not
bound: they are as long as a table is. What they wait for, others wait for behind them, so that is bound by
LOCK_SECONDS. Both are set for their transaction alone, so this works through PgBouncer as well; a migration without a
transaction sets them for its session, and must be run against PostgreSQL itself.
"""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import psycopg
from django.db.backends.postgresql import base, schema
from django.db.backends.utils import CursorWrapper
from psycopg.pq import TransactionStatus

T = TypeVar("T")
Connection = psycopg.Connection[tuple[object, ...]]

STATEMENT_SECONDS = 5
"""What a role's statements may take, unless it has a bound of its own."""
ANSWER_SECONDS = 6.0
"""A little more than the server's own `statement_timeout` (5 s)."""
LOCK_SECONDS = 5
"""So long a migration waits for a table that others are using, then it fails, and is run again at a better time."""


class SchemaEditor(schema.DatabaseSchemaEditor):
    """A migration: takes as long as it takes, and waits for others no longer than LOCK_SECONDS."""

    connection: "DatabaseWrapper"

    def __enter__(self) -> Self:
        entered = super().__enter__()
        self.connection.hurried = False
        self._set("SET LOCAL {} = '{}s'" if self.atomic_migration else "SET {} = '{}s'")
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            if not self.atomic_migration:
                self._set("RESET {}")
            self.connection.hurried = True

    def _set(self, statement: str) -> None:
        if not self.collect_sql:
            for name, seconds in (("statement_timeout", 0), ("lock_timeout", LOCK_SECONDS)):
                self.execute(statement.format(name, seconds), None)


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = SchemaEditor
    hurried = True
    """Whether an answer is waited for no longer than it is said above."""

    def get_new_connection(self, conn_params: dict[str, object]) -> Connection:
        connection = super().get_new_connection(conn_params)
        connection.wait = partial(self._wait, connection, connection.wait)
        return cast(Connection, connection)

    def _wait(self, connection: Connection, wait: Callable[..., T], work: object, **options: Any) -> T:
        """The driver's own waiting, at most so long. Raises its `OperationalError`."""
        patience = self.settings_dict.get("ANSWER_SECONDS")
        bound = {"timeout": ANSWER_SECONDS if patience is None else patience} if self.hurried else {}
        try:
            return wait(work, **{**bound, **options})
        except psycopg.OperationalError:
            if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
                connection.pgconn.finish()
            raise


def bound_statements(cursor: CursorWrapper) -> str | None:
    """Bounds the role's statements to STATEMENT_SECONDS in sessions that begin from now on; returns the role's name.

    None, and nothing is changed, where statements are bound already, by whomever and to whatever. Any role may.
    """
    cursor.execute("SELECT current_setting('statement_timeout'), current_user")
    bound, role = cast(tuple[str, str], cursor.fetchone())
    if bound != "0":
        return None
    cursor.execute(f"ALTER ROLE CURRENT_USER SET statement_timeout = '{STATEMENT_SECONDS}s'")
    return role
