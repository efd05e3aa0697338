"""What every embedded store is made of: the SQLite file behind alias `store`, and its errors.

The embedded stores keep, in one file on one machine, what Cassandra keeps in production. The
file is apart from the users' database so that nothing can come to join across the two.

The breaker is around writes: they wait for the one write lock, up to 15 s. Reads go on while
another process writes, and where they fail they fail at once.

**Threads of a process take turns** (`_Turns`). SQLite's own way to wait for the lock is to look again
after 1, 2, 5, … 100 ms, so of many who wait it serves whoever looks at the right moment: with
16 threads that write all the time, some waited out the 15 s though each write took 40 ms, and
the lock was idle between. Now SQLite sees one writer a process.
"""

import logging
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connections, models, transaction

from storage.breakers import Breaker
from storage.errors import Unavailable

logger = logging.getLogger(__name__)

ALIAS = "store"
FAILURES = 3
"""So many writes in a row that could not be made open the breaker."""
TURN_SECONDS = 15.0
"""As long as SQLite itself waits for the lock (busy_timeout in config/settings.py)."""


class EmbeddedModel(models.Model):
    """A table of the embedded engine; the router keeps it in `store` and everything else out."""

    class Meta:
        abstract = True


@contextmanager
def answering() -> Generator[None]:
    """Turns a locked, full or missing database into `Unavailable("store")`."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        logger.warning("the embedded store does not answer: %s", error)
        raise Unavailable("store") from error


class _Turns:
    """One writer at a time in this process. Re-entrant, as a write may be part of another."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def taken(self) -> Generator[None]:
        """Raises `OperationalError`, as SQLite would, when no turn comes within TURN_SECONDS."""
        if not self._lock.acquire(timeout=TURN_SECONDS):
            raise OperationalError("no turn to write")
        try:
            yield
        finally:
            self._lock.release()

    def start_anew(self) -> None:
        """Another thread of the parent may have held the lock when it forked."""
        self._lock = threading.RLock()


_turns = _Turns()
os.register_at_fork(after_in_child=_turns.start_anew)


@contextmanager
def writing() -> Generator[None]:
    """One transaction, all or nothing. It takes the write lock at its start, so that what it reads stays true."""
    with answering(), breaker.guard(), _turns.taken(), transaction.atomic(using=ALIAS):
        yield


def ping() -> None:
    """One read, on a connection of its own so that any thread may ask. Raises `Unavailable`."""
    with breaker.guard(proves=False), answering():
        _execute("SELECT 1")


def _take_the_lock() -> None:
    _execute("BEGIN IMMEDIATE", "ROLLBACK")


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
