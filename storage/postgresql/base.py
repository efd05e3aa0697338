"""Django's PostgreSQL, with a bound on how long an answer is waited for.

`statement_timeout` is kept by the server: one that hangs does not keep it, and the driver waits for
ever by default. A connection that has waited ANSWER_SECONDS, or what its settings say by that name, is given up and
closed.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

T = TypeVar("T")
Connection = psycopg.Connection[tuple[object, ...]]

ANSWER_SECONDS = 6.0
"""A little more than the server's own `statement_timeout` (5 s)."""


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, object]) -> Connection:
        connection = super().get_new_connection(conn_params)
        patience = self.settings_dict.get("ANSWER_SECONDS")
        connection.wait = partial(_wait, connection, connection.wait, patience)
        return cast(Connection, connection)


def _wait(connection: Connection, wait: Callable[..., T], patience: float | None, work: object, **options: object) -> T:
    """The driver's own waiting, at most `patience`, ANSWER_SECONDS unless given. Raises its `OperationalError`."""
    try:
        return wait(work, **{"timeout": ANSWER_SECONDS if patience is None else patience, **options})
    except psycopg.OperationalError:
        if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
            connection.pgconn.finish()
        raise
