"""The SQL database of people: says in the project's own words that it does not answer, and reads it at small cost.

**A replica** (REPLICA_DATABASE_URL) may be late by any time. So it is asked for nothing that anybody is let in or shown
by, and nothing that is kept: never for tokens, passwords, accounts, suspensions, whether a name is free, what staff
did, or what Redis has to be told (account_cache/vouching.py). It is asked by `from_replica` for what would be late by
the time it is read anyway: how many people there are, and which, for who counts and audits them.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar, cast

import structlog
from django.db import InterfaceError, OperationalError, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from prometheus_client import Histogram

from accounts.entities import Account
from storage.breakers import Breaker, State
from storage.errors import Unavailable

ALIAS = "default"
REPLICA = "replica"
ACCOUNT_COLUMNS = (
    "id",
    "username",
    "display_name",
    "bio",
    "avatar_url",
    "verified",
    "suspended_at",
    "is_staff",
    "protected_at",
    "muted_words_version",
)
AccountRow = tuple[int, str, str, str, str, bool, datetime | None, bool, datetime | None, int]
"""Their values, which `account_of_row` takes."""
FAILURES = 3
"""So many silences in a row open the breaker: up to 3 s each to connect, 6 s for a statement."""
PATIENCE_SECONDS = 2.0
"""As short as PostgreSQL's library takes it for connecting."""

SQL_SECONDS = Histogram("sql_seconds", "A statement that the database of people answered.")

T = TypeVar("T")
log = structlog.get_logger(__name__)


class ByCodePoint(models.Func):
    """A text that is compared by its characters' numbers, whatever language the database sorts by: then all texts that
    begin in one way stand side by side in an index of it."""

    template, arity = '%(expressions)s COLLATE "C"', 1

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s COLLATE BINARY", **context)


@contextmanager
def sql_or_unavailable() -> Iterator[None]:
    """Turns a database that is down, hung or locked into `Unavailable`; also a decorator.

    At once while its breaker is open. What is read or written inside tells the breaker how the
    database does; a block that asks for nothing tells it nothing.
    """
    try:
        with breaker.guard(proves=False), connection.execute_wrapper(_heard):
            yield
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("database") from error


def can_be_asked() -> bool:
    """Says whether this process takes SQL to answer: its breaker is closed. Costs nothing."""
    return breaker.state is State.CLOSED


def ping() -> None:
    """Makes one small transaction, on a connection of its own so that any thread may ask. Raises `Unavailable`."""
    with sql_or_unavailable():
        _probe()


def from_replica(read: Callable[[str], T]) -> T:
    """Returns what `read` reads from the database of that alias: the replica's, or the primary's if there is none, or
    it does not answer. Raises `Unavailable` when the primary does not either."""
    if REPLICA in set(connections):
        try:
            with replica_breaker.guard():
                return read(REPLICA)
        except (OperationalError, InterfaceError, Unavailable) as error:
            log.warning("read_from_the_primary", error=repr(error))
    with sql_or_unavailable():
        return read(ALIAS)


def ping_replica() -> None:
    """Does as `ping`, of the replica."""
    try:
        with replica_breaker.guard():
            _probe(REPLICA)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("database_replica") from error


@contextmanager
def impatient_connection() -> Generator[BaseDatabaseWrapper]:
    """A connection of its own for who asks for nobody in particular: it waits PATIENCE_SECONDS where others wait for 6.

    Raises `Unavailable`, and its silence counts as anybody's.
    """
    own = connections.create_connection(ALIAS)
    options = own.settings_dict["OPTIONS"]
    if "connect_timeout" in options:
        hurried = {**options, "connect_timeout": min(options["connect_timeout"], int(PATIENCE_SECONDS))}
        own.settings_dict = {**own.settings_dict, "OPTIONS": hurried, "ANSWER_SECONDS": PATIENCE_SECONDS}
    with sql_or_unavailable(), own.execute_wrapper(_heard):
        try:
            yield own
        finally:
            own.close()


def account_of_row(values: AccountRow) -> Account:
    """Returns the account in a row's ACCOUNT_COLUMNS."""
    person_id, username, display_name, bio, avatar_url, verified, suspended_at, is_staff, protected_at, words = values
    return Account(
        id=person_id,
        username=username,
        display_name=display_name,
        bio=bio,
        avatar_url=avatar_url or None,
        verified=verified,
        suspended=suspended_at is not None,
        is_staff=is_staff,
        protected=protected_at is not None,
        muted_words_version=words,
    )


Row = TypeVar("Row", bound=tuple[object, ...])


class _Compiled(NamedTuple):
    """What a thread has made of a query."""

    compiler: SQLCompiler
    sql: str
    converters: Any


class CompiledQuery(threading.local, Generic[Row]):
    """A query that the ORM writes once: a thread compiles it for its connection, and runs it with other values.

    The statement of a query set of values; its parameters are those of the query set, in their order. The ORM takes
    430 µs to build, compile and read one person, of which the database takes 20; compiled it takes 60.
    """

    def __init__(self, make: Callable[[], models.QuerySet[models.Model, Row]]) -> None:
        """`make` is called in each thread that uses it; what it filters by does not matter."""
        self._make = make
        self._compiled: _Compiled | None = None

    def rows(self, parameters: Sequence[int | str]) -> list[Row]:
        """Rows of values, each as the ORM would give it. One statement."""
        connection = connections[ALIAS]
        if self._compiled is None or self._compiled.compiler.connection is not connection:
            compiler = self._make().query.get_compiler(connection=connection)
            sql, _ = compiler.as_sql()
            converters = compiler.get_converters([column for column, _, _ in compiler.select])
            self._compiled = _Compiled(compiler, sql, converters)
        with connection.cursor() as cursor:
            cursor.execute(self._compiled.sql, parameters)
            converted = self._compiled.compiler.apply_converters(cursor.fetchall(), self._compiled.converters)
            return [cast(Row, tuple(row)) for row in converted]


def _heard(execute: Callable[..., T], sql: str, params: object, many: bool, context: dict[str, object]) -> T:
    began = perf_counter()
    answer = execute(sql, params, many, context)
    SQL_SECONDS.observe(perf_counter() - began)
    breaker.answered()
    return answer


def _probe(alias: str = ALIAS) -> None:
    own = connections.create_connection(alias)
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
replica_breaker = Breaker(
    "database_replica",
    probe=lambda: _probe(REPLICA),
    silent=lambda error: isinstance(error, OperationalError | InterfaceError),
    failures=FAILURES,
)
