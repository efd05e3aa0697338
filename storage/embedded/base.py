"""The ground of every embedded store: the SQLite file behind alias `store`, and its errors.

The embedded stores keep, in one file on one machine, what Cassandra keeps in production. The
file is apart from the users' database so that nothing can come to join across the two.

The breaker is around writes: they wait for the one write lock, up to 15 s. Reads go on while
another process writes, and where they fail they fail at once.

Writers wait for one another (storage/embedded/write_lock.py), so SQLite sees one at a time.
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError, connections, transaction

from storage.breakers import Breaker
from storage.embedded.write_lock import write_lock
from storage.errors import Unavailable
from storage.figures import STORE_SECONDS

logger = logging.getLogger(__name__)

ALIAS = "store"
Statement = tuple[str, Sequence[str | int | None]]
"""SQL with `%s` in it, and the values for them."""
FAILURES = 3
"""So many writes in a row that could not be made open the breaker."""


@contextmanager
def answering() -> Generator[None]:
    """Turns the errors of a locked, full or missing database into `Unavailable("store")`."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        logger.warning("the embedded store does not answer: %s", error)
        raise Unavailable("store") from error


@contextmanager
def writing() -> Generator[None]:
    """Makes what is inside one transaction, all or nothing.

    It takes the write lock at its start, so that what it reads stays true. Raises `Unavailable`.
    """
    with answering(), breaker.guard(), STORE_SECONDS.time(), write_lock.held(_file()), transaction.atomic(using=ALIAS):
        yield


def run(*statements: Statement) -> None:
    """Carries the statements out, one after the other, in the transaction of `writing`.

    For hot writes. Their texts stand in the code and their values are made before the lock is taken; a model puts its
    statement together anew each time, half a millisecond in which nobody else writes.
    """
    with connections[ALIAS].cursor() as cursor:
        for sql, values in statements:
            cursor.execute(sql, values)


def rows_of(statement: Statement) -> list[tuple[Any, ...]]:
    """Returns all rows of a statement that reads. Raises `Unavailable`. For hot reads, as `run`."""
    with answering(), connections[ALIAS].cursor() as cursor:
        rows: list[tuple[Any, ...]] = cursor.execute(*statement).fetchall()
    return rows


def ping() -> None:
    """Makes one read, on a connection of its own so that any thread may ask. Raises `Unavailable`."""
    with breaker.guard(proves=False), answering():
        _execute("SELECT 1")


def _take_the_lock() -> None:
    with write_lock.held(_file()):
        _execute("BEGIN IMMEDIATE", "ROLLBACK")


def _file() -> str:
    return str(connections[ALIAS].settings_dict["NAME"])


def _execute(*statements: str) -> None:
    connection = connections.create_connection(ALIAS)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


breaker = Breaker(
    "store",
    probe=_take_the_lock,
    silent=lambda error: isinstance(error, OperationalError | InterfaceError),
    failures=FAILURES,
)
