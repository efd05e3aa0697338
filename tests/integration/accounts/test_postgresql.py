"""People's database as it is run: directly or behind PgBouncer, statements bounded, migrations not, addresses meant."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast
from urllib.parse import quote

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from accounts.graph.people_search import people_found
from accounts.models import User
from accounts.people.services import sign_in
from config.sql_databases import sql_database
from deploy.supervisor.ports import LOOPBACK
from deploy.supervisor.processes import wait_until
from storage.postgresql import base as postgresql_base
from storage.postgresql.base import DatabaseWrapper, bound_statements
from storage.web.paging import PageRequest
from tests import pgbouncer
from tests import postgresql as servers
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

BRIEF = "300ms"
"""What statements may take here."""
HARD_PASSWORD = "a/b#c?d@e%f:g h"


@pytest.fixture(scope="module")
def bouncer(postgres: servers.PostgreSQL) -> Iterator[str]:
    binary = pgbouncer.program()
    if binary is None:
        servers.missing("PgBouncer")
    with pgbouncer.in_front_of(postgres.port, binary) as url:
        yield url


@pytest.fixture(params=["directly", "through PgBouncer"])
def people(request: pytest.FixtureRequest, postgres: servers.PostgreSQL) -> Iterator[None]:
    url = None if request.param == "directly" else request.getfixturevalue("bouncer")
    with servers.people_in(postgres, url):
        yield


@pytest.fixture
def brief(people: None) -> Iterator[None]:
    """Statements may take no longer than BRIEF, and sessions that were begun under another bound are ended."""
    _for_new_sessions(f"ALTER ROLE CURRENT_USER SET statement_timeout = '{BRIEF}'")
    yield
    _for_new_sessions("ALTER ROLE CURRENT_USER SET statement_timeout = '5s'")


def _for_new_sessions(statement: str) -> None:
    """Through PgBouncer the next sessions are new ones as well: those that it has are ended, one's own the last."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
    now = asked("SELECT clock_timestamp()")
    with suppress(OperationalError):
        asked(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' ORDER BY pid = pg_backend_pid()"
        )
    connection.close()
    assert wait_until(lambda: _have_ended(now), seconds=30)


def _have_ended(begun_until: str) -> bool:
    """Whether no session is left that was begun by then: they end some time after they were told to."""
    of_before = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND backend_start <= %s"
    with suppress(OperationalError), connection.cursor() as cursor:
        cursor.execute(of_before, [begun_until])
        return bool(cursor.fetchall() == [(0,)])
    connection.close()
    return False


def asked(question: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return str(cursor.fetchall()[0][0])


def test_people_sign_up_and_in(people: None) -> None:
    person = new_person()
    assert sign_in(login=person.username, password=PASSWORD).pk == person.pk
    assert person.pk in {each.pk for each in User.objects.iterator(chunk_size=1)}, "no cursor outlives a transaction"


def test_every_statement_is_bounded(people: None, brief: None) -> None:
    with pytest.raises(OperationalError, match="statement timeout"):
        asked("SELECT pg_sleep(20)")
    assert {asked("SHOW statement_timeout") for _ in range(10)} == {BRIEF}


def test_a_bound_that_stands_is_left_alone(people: None, brief: None) -> None:
    with connection.cursor() as cursor:
        assert bound_statements(cursor) is None
        cursor.execute("SET statement_timeout = 0")
        assert bound_statements(cursor) == "feed"
        cursor.execute("RESET statement_timeout")


def test_a_migration_takes_as_long_as_it_takes(people: None, brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_base, "ANSWER_SECONDS", 0.6)
    with connection.schema_editor() as editor:
        editor.execute("SELECT pg_sleep(1.2)")
    assert {asked("SHOW statement_timeout") for _ in range(10)} == {BRIEF}, "nobody else's is changed by it"
    assert cast(DatabaseWrapper, connections["default"]).hurried


def test_a_migration_without_a_transaction_as_well(
    postgres: servers.PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.people_in(postgres), connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{BRIEF}'")
        with connection.schema_editor(atomic=False) as editor:
            editor.execute("SELECT pg_sleep(0.6)")
        assert asked("SHOW statement_timeout") == "5s"


def test_a_migration_waits_for_no_table_for_long(people: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_base, "LOCK_SECONDS", 1)
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE accounts_user")
        with pytest.raises(OperationalError, match="lock timeout"), connection.schema_editor() as editor:
            editor.execute("ALTER TABLE accounts_user ADD COLUMN another int")
    finally:
        other.close()


def test_a_beginning_is_looked_up_in_its_index_among_many(people: None) -> None:
    """As the planner itself decides, who knows how many there are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_user (id, username, email, display_name, password, bio, avatar_url, verified,"
            " is_staff, is_superuser) SELECT 7000000 + n, 'many_' || n, 'many_' || n || '@example.com',"
            " 'Name ' || n, '', '', '', false, false, false FROM generate_series(1, 5000) n"
        )
        cursor.execute("ANALYZE accounts_user")
        for field, text in (("username", "many_7"), ("display_name", "name 7")):
            with CaptureQueriesContext(connection) as captured:
                assert len(User.objects.ids_beginning_with(field, text, limit=50)) == 50
            cursor.execute("EXPLAIN " + next(each["sql"] for each in captured if "LIMIT 50" in each["sql"]))
            plan = "\n".join(str(row[0]) for row in cursor.fetchall())
            assert f"people_by_{field}" in plan
            assert "Seq Scan" not in plan
        transaction.set_rollback(True)


def test_what_stands_in_no_name_is_asked_of_no_database(people: None) -> None:
    """PostgreSQL refuses a NUL and half a character with an error."""
    for query in ("\0", "a\0b", "\ud800"):
        assert people_found(query, None, PageRequest(limit=5)).items == []


@pytest.fixture(scope="module")
def certificate(postgres: servers.PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The server speaks TLS with it, and asks `guarded` for a password, and for TLS."""
    root = self_signed(postgres.directory / "data", "server")
    hba = postgres.directory / "data" / "pg_hba.conf"
    open_to_all = hba.read_text()
    hba.write_text(f"hostssl all guarded all scram-sha-256\nhost all guarded all reject\n{open_to_all}")
    with psycopg.connect(postgres.url, autocommit=True) as server:
        password = sql.Literal(HARD_PASSWORD)
        server.execute(sql.SQL("CREATE ROLE guarded LOGIN PASSWORD {}").format(password))
        server.execute("ALTER SYSTEM SET ssl = on")
        server.execute("SELECT pg_reload_conf()")
        yield root
        hba.write_text(open_to_all)
        server.execute("ALTER SYSTEM RESET ssl")
        server.execute("SELECT pg_reload_conf()")
        server.execute("DROP ROLE guarded")


class TestAddresses:
    """What stands in DATABASE_URL is what the server hears."""

    def url(self, postgres: servers.PostgreSQL, password: str, query: str) -> str:
        return f"postgresql://guarded:{quote(password, safe='')}@{LOOPBACK}:{postgres.port}/postgres?{query}"

    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
    def test_a_password_of_hard_characters_over_tls(
        self, postgres: servers.PostgreSQL, certificate: Path, mode: str
    ) -> None:
        url = self.url(postgres, HARD_PASSWORD, f"sslmode={mode}&sslrootcert={quote(str(certificate))}")
        with at(url), connection.cursor() as cursor:
            cursor.execute(
                "SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = %s",
                [connection.connection.info.backend_pid],
            )
            assert cursor.fetchall() == [("guarded", True)]

    def test_another_s_certificate_is_refused(
        self, postgres: servers.PostgreSQL, certificate: Path, tmp_path: Path
    ) -> None:
        other = self_signed(tmp_path, "other")
        url = self.url(postgres, HARD_PASSWORD, f"sslmode=verify-ca&sslrootcert={other}")
        with at(url), pytest.raises(OperationalError, match="certificate verify failed"):
            connection.ensure_connection()

    def test_without_tls_it_is_refused(self, postgres: servers.PostgreSQL, certificate: Path) -> None:
        url = self.url(postgres, HARD_PASSWORD, "sslmode=disable")
        with at(url), pytest.raises(OperationalError, match="rejects connection"):
            connection.ensure_connection()


@contextmanager
def at(url: str) -> Iterator[None]:
    """Inside, people's database is there, of which nothing is asked."""
    before = connections.settings["default"]
    connections["default"].close()
    connections.settings["default"] = connections.configure_settings({"default": sql_database(url)})["default"]
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        del connections["default"]


def self_signed(directory: Path, name: str) -> Path:
    """Returns the certificate of loopback; beside it lies its key, both owned as the directory is."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=IP:{LOOPBACK}", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    owner = directory.stat()
    for path in (certificate, key):
        path.chmod(0o600)
        subprocess.run(["chown", f"{owner.st_uid}:{owner.st_gid}", str(path)], check=True)
    return certificate
