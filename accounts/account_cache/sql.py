"""Says in the project's own words that the SQL database of people does not answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError, connection, connections

from storage.breakers import Breaker
from storage.errors import Unavailable

ALIAS = "default"
FAILURES = 3
"""So many silences in a row open the breaker: up to 3 s each to connect, 6 s for a statement."""


@contextmanager
def sql_or_unavailable() -> Iterator[None]:
    """WriteLock a database that is down, hung or locked into `Unavailable`; also a decorator.

    At once while its breaker is open. What is read or written inside tells the breaker how the
    database does; a block that asks for nothing tells it nothing.
    """
    try:
        with breaker.guard(proves=False), connection.execute_wrapper(_heard):
            yield
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("database") from error


def ping() -> None:
    """One small transaction, on a connection of its own so that any thread may ask. Raises `Unavailable`."""
    with sql_or_unavailable():
        _probe()


def _heard(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    answer = execute(sql, params, many, context)
    breaker.answered()
    return answer


def _probe() -> None:
    own = connections.create_connection(ALIAS)
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        own.close()


breaker = Breaker(
    "database",
    probe=_probe,
    silent=lambda error: isinstance(error, OperationalError | InterfaceError),
    failures=FAILURES,
)
