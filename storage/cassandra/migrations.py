"""Versioned CQL migrations: each app's `cql/NNN_name.cql`, in INSTALLED_APPS order, then by number.

Safe to run twice, from several places at once (one holds a lock, the others wait), and after
being interrupted: a file is recorded only when all its statements have run, and every
statement must be repeatable (`IF NOT EXISTS`, `IF EXISTS`), so a half-applied file runs again.
A file that changed after it was applied is an error: write a new one.
"""

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cassandra import ConsistencyLevel, InvalidRequest, OperationTimedOut, WriteTimeout
from cassandra.cluster import NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.query import SimpleStatement
from django.apps import apps
from django.conf import settings

from storage.cassandra.cluster import open_cluster
from storage.errors import Unavailable

STATEMENT_TIMEOUT_SECONDS = 60.0
"""A change of schema waits until every node agrees."""
LOCK_SECONDS = 180
"""An interrupted run's lock ends by itself; longer than a statement, renewed before each."""
WAIT_SECONDS = 600
"""How long to wait for another run."""
WAIT_STEP_SECONDS = 1.0
KEYSPACE_SECONDS = 30
"""How long a keyspace that somebody else is just creating may take to become usable."""

BOOKKEEPING = {
    "schema_migrations": "(app text, name text, checksum text, PRIMARY KEY ((app), name))",
    "schema_lock": "(name text PRIMARY KEY, owner text)",
}
APPLIED = "SELECT app, name, checksum FROM schema_migrations"
RECORD = "INSERT INTO schema_migrations (app, name, checksum) VALUES (%s, %s, %s)"
LOCK = "INSERT INTO schema_lock (name, owner) VALUES ('migrate', %s) IF NOT EXISTS USING TTL %s"
RENEW = "UPDATE schema_lock USING TTL %s SET owner = %s WHERE name = 'migrate' IF owner = %s"
UNLOCK = "DELETE FROM schema_lock WHERE name = 'migrate' IF owner = %s"
HOLDER = "SELECT owner FROM schema_lock WHERE name = 'migrate'"
KEYSPACES = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s"
TABLES = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = 'schema_migrations'"

FILE_NAME = re.compile(r"\d{3}_\w+\.cql")
KEYSPACE_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
REPEATABLE = re.compile(r"\bIF\s+(NOT\s+)?EXISTS\b", re.IGNORECASE)

Report = Callable[[str], None]


class MigrationError(Exception):
    """The message tells an operator which file is at fault and what to do."""


class Migration(msgspec.Struct, frozen=True):
    app: str
    name: str
    text: str

    @property
    def title(self) -> str:
        return f"{self.app}/{self.name}"

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Returns the text split at `;` ending a line; lines that begin with `--` are comments."""
        lines = [line for line in self.text.splitlines() if not line.lstrip().startswith("--")]
        parts = re.split(r";[ \t]*$", "\n".join(lines), flags=re.MULTILINE)
        return [part.strip() for part in parts if part.strip()]


def found_migrations() -> list[Migration]:
    """Returns every migration of every installed app, in the order of application. Raises `MigrationError`."""
    found = []
    for app in apps.get_app_configs():
        files = sorted((Path(app.path) / "cql").glob("*.cql"))
        found += [Migration(app.label, path.name, path.read_text()) for path in files]
    for migration in found:
        _check_form(migration)
    return found


def migrate(report: Report) -> int:
    """Applies what is not applied yet, one line a file; answers how many. Raises `MigrationError`,
    or `Unavailable` when Cassandra does not answer."""
    with _connected() as session:
        _create_bookkeeping(session)
        owner = uuid.uuid4().hex
        with _locked(session, owner, report):
            pending = _unapplied(found_migrations(), _applied(session))
            for migration in pending:
                report(f"applying {migration.title}")
                _apply(session, migration, owner)
            return len(pending)


def unapplied() -> list[str]:
    """Returns the titles of migrations that are not applied. Changes nothing. Raises as `migrate`."""
    with _connected() as session:
        known = session.execute(TABLES, (settings.CASSANDRA_KEYSPACE,)).one() is not None
        if known:
            session.set_keyspace(settings.CASSANDRA_KEYSPACE)
        applied = _applied(session) if known else {}
        return [migration.title for migration in _unapplied(found_migrations(), applied)]


def _check_form(migration: Migration) -> None:
    if not FILE_NAME.fullmatch(migration.name):
        raise MigrationError(f"{migration.title}: a migration is named NNN_name.cql")
    for statement in migration.statements:
        if not REPEATABLE.search(statement):
            raise MigrationError(
                f"{migration.title}: every statement must say IF NOT EXISTS or IF EXISTS:\n{statement}"
            )


@contextmanager
def _connected() -> Generator[Session]:
    """A session of its own without a keyspace, which may not exist yet."""
    cluster = open_cluster(timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
    try:
        yield cluster.connect()
    except (NoHostAvailable, OperationTimedOut, ConnectionException) as error:
        raise Unavailable("cassandra") from error
    finally:
        cluster.shutdown()


def _create_bookkeeping(session: Session) -> None:
    keyspace = settings.CASSANDRA_KEYSPACE
    if not KEYSPACE_NAME.fullmatch(keyspace):
        raise MigrationError(f"CASSANDRA_KEYSPACE={keyspace}: lower-case letters, digits and _ only")
    if session.execute(KEYSPACES, (keyspace,)).one() is None:
        session.execute(f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {settings.CASSANDRA_REPLICATION}")
    _use_keyspace(session, keyspace)
    for table, columns in BOOKKEEPING.items():
        session.execute(f"CREATE TABLE IF NOT EXISTS {table} {columns} WITH id = {_table_id(keyspace, table)}")


def _use_keyspace(session: Session, keyspace: str) -> None:
    """Waits for a keyspace that another run is just creating: known already, not usable yet."""
    deadline = time.monotonic() + KEYSPACE_SECONDS
    while True:
        try:
            session.set_keyspace(keyspace)
            return
        except InvalidRequest:
            if time.monotonic() > deadline:
                raise
            time.sleep(WAIT_STEP_SECONDS)


def _table_id(keyspace: str, table: str) -> uuid.UUID:
    """Fixed, so that two first runs on two nodes create one table, not two of one name."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{keyspace}.{table}")


def _applied(session: Session) -> dict[tuple[str, str], str]:
    return {(app, name): checksum for app, name, checksum in session.execute(APPLIED)}


def _unapplied(found: list[Migration], applied: dict[tuple[str, str], str]) -> list[Migration]:
    """In order. Raises `MigrationError` when an applied file reads differently now."""
    changed = [m.title for m in found if applied.get((m.app, m.name), m.checksum) != m.checksum]
    if changed:
        raise MigrationError(f"changed after it was applied: {', '.join(changed)}; restore it and add a new file")
    return [m for m in found if (m.app, m.name) not in applied]


def _apply(session: Session, migration: Migration, owner: str) -> None:
    for statement in migration.statements:
        if not _conditional(session, RENEW, (LOCK_SECONDS, owner, owner), owner):
            raise MigrationError("another run took the lock over; run this again")
        session.execute(statement)
    session.execute(RECORD, (migration.app, migration.name, migration.checksum))


@contextmanager
def _locked(session: Session, owner: str, report: Report) -> Generator[None]:
    """Holds the lock of the keyspace; waits for whoever has it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not _conditional(session, LOCK, (owner, LOCK_SECONDS), owner):
        if time.monotonic() > deadline:
            raise MigrationError(f"another run has held the lock for {WAIT_SECONDS} s")
        report("waiting for another run (an interrupted one's lock ends by itself)")
        time.sleep(WAIT_STEP_SECONDS)
    try:
        yield
    finally:
        session.execute(UNLOCK, (owner,))


def _conditional(session: Session, cql: str, params: tuple[object, ...], owner: str) -> bool:
    """Whether `owner` holds the lock after a conditional write, also when its answer was lost."""
    try:
        return bool(session.execute(cql, params).one()[0])
    except (WriteTimeout, OperationTimedOut, ConnectionException):
        holder = session.execute(SimpleStatement(HOLDER, consistency_level=ConsistencyLevel.SERIAL)).one()
        return holder is not None and holder[0] == owner
