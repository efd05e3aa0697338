"""CQL migrations: repeatable, from several places at once, after interruptions; never silently different."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
from cassandra import OperationTimedOut
from cassandra.connection import ConnectionShutdown
from cassandra.protocol import SyntaxException
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from storage.cassandra import migrations, session
from storage.cassandra.migrations import Migration, MigrationError, found_migrations, migrate, unapplied
from storage.errors import Unavailable
from tests.ids import new_id

ROOT = Path(__file__).parents[3]
FIRST = Migration("storage", "001_first.cql", "CREATE TABLE IF NOT EXISTS first (id int PRIMARY KEY);\n")
SECOND = Migration("tweets", "001_second.cql", "CREATE TABLE IF NOT EXISTS second (id int PRIMARY KEY);\n")
needs_cassandra = pytest.mark.cassandra


@pytest.fixture
def new_keyspace(cassandra: None) -> Iterator[str]:
    """The name of a keyspace that does not exist yet; settings point to it."""
    session.ping()
    name = f"migrations_{new_id()}"
    with override_settings(CASSANDRA_KEYSPACE=name, STORE="cassandra"):
        yield name
    session.execute(f"DROP KEYSPACE IF EXISTS {name}")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Migration]:
    """What `found_migrations` finds; the test may change it."""
    present = [FIRST, SECOND]
    monkeypatch.setattr(migrations, "found_migrations", lambda: present)
    return present


def hold_lock(keyspace: str, options: str = "") -> None:
    insert = "INSERT INTO {}.schema_lock (name, owner) VALUES ('migrate', 'killed') {}"
    session.execute(insert.format(keyspace, options))


def tables(keyspace: str) -> set[str]:
    rows = session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", (keyspace,))
    return {name for (name,) in rows}


@needs_cassandra
def test_first_run_creates_everything_and_a_second_nothing(new_keyspace: str) -> None:
    lines: list[str] = []
    assert unapplied() == [migration.title for migration in found_migrations()]
    assert tables(new_keyspace) == set()
    assert migrate(lines.append) == len(found_migrations())
    assert lines == [f"applying {migration.title}" for migration in found_migrations()]
    assert {"edges_out", "edges_in", "outbox", "worker_leases", "tweets"} <= tables(new_keyspace)
    assert unapplied() == []
    assert migrate(lines.append) == 0


@needs_cassandra
def test_two_processes_at_once_apply_each_file_once(new_keyspace: str) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "STORE": "cassandra",
        "CASSANDRA_KEYSPACE": new_keyspace,
        "CASSANDRA_PORT": str(settings.CASSANDRA_PORT),
        "CASSANDRA_HOSTS": ",".join(settings.CASSANDRA_HOSTS),
    }
    command = [sys.executable, str(ROOT / "manage.py"), "migrate_store"]
    running = [
        subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    lines = [line for output, _ in outputs for line in output.splitlines() if line.startswith("applying")]
    assert sorted(lines) == sorted(f"applying {migration.title}" for migration in found_migrations())
    assert unapplied() == []


@needs_cassandra
def test_a_half_applied_file_is_run_again(new_keyspace: str, found: list[Migration]) -> None:
    text = SECOND.text + "CREATE TABLE IF NOT EXISTS third (id int PRIMARY KEY"
    found[1] = Migration(SECOND.app, SECOND.name, text)
    with pytest.raises(SyntaxException):
        migrate(print)
    assert {"first", "second"} <= tables(new_keyspace)
    assert unapplied() == [SECOND.title]
    found[1] = Migration(SECOND.app, SECOND.name, text + ");\n")
    assert migrate(print) == 1
    assert "third" in tables(new_keyspace)


@needs_cassandra
def test_an_interrupted_run_s_lock_is_waited_for_until_it_ends(new_keyspace: str, found: list[Migration]) -> None:
    migrate(print)
    hold_lock(new_keyspace, "USING TTL 4")
    lines: list[str] = []
    started = time.monotonic()
    found.append(Migration("tweets", "002_more.cql", "CREATE TABLE IF NOT EXISTS more (id int PRIMARY KEY);\n"))
    assert migrate(lines.append) == 1
    assert time.monotonic() - started > 1
    assert lines[0].startswith("waiting for another run")
    assert lines[-1] == "applying tweets/002_more.cql"


@needs_cassandra
def test_waiting_for_the_lock_is_bounded(
    new_keyspace: str, found: list[Migration], monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(print)
    hold_lock(new_keyspace)
    monkeypatch.setattr(migrations, "WAIT_SECONDS", 1)
    with pytest.raises(MigrationError, match="held the lock"):
        migrate(print)


@needs_cassandra
def test_a_file_changed_after_it_was_applied_is_an_error(new_keyspace: str, found: list[Migration]) -> None:
    migrate(print)
    found[0] = Migration(FIRST.app, FIRST.name, FIRST.text + "-- changed\n")
    with pytest.raises(MigrationError, match=r"changed after it was applied: storage/001_first\.cql"):
        migrate(print)
    with pytest.raises(MigrationError):
        unapplied()


@needs_cassandra
def test_the_command_checks_applies_and_says_so(
    new_keyspace: str, found: list[Migration], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        call_command("migrate_store", "--check")
    assert left.value.code == 1
    assert capsys.readouterr().out == "unapplied: storage/001_first.cql\nunapplied: tweets/001_second.cql\n"
    call_command("migrate_store")
    assert capsys.readouterr().out.splitlines()[-1] == "applied 2"
    call_command("migrate_store", "--check")
    assert capsys.readouterr().out == "nothing to apply\n"


def test_the_command_has_nothing_to_do_for_the_embedded_store(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("migrate_store")
    assert capsys.readouterr().out == "nothing to do: the embedded store's tables are Django migrations\n"


@override_settings(STORE="cassandra", CASSANDRA_HOSTS=["127.0.0.1"], CASSANDRA_PORT=1)
def test_without_cassandra_the_command_says_so() -> None:
    with pytest.raises(CommandError, match="cassandra does not answer"):
        call_command("migrate_store")
    with pytest.raises(Unavailable):
        unapplied()


def test_files_come_in_the_order_of_installed_apps_then_of_numbers() -> None:
    titles = [migration.title for migration in found_migrations()]
    assert titles[0].startswith("storage/001_")
    apps = [title.split("/")[0] for title in titles]
    assert apps == sorted(apps, key=settings.INSTALLED_APPS.index)
    assert titles == sorted(titles, key=lambda title: (apps.index(title.split("/")[0]), title))


def test_statements_are_split_at_line_ends_and_comments_dropped() -> None:
    text = (
        "-- one;\nCREATE TABLE IF NOT EXISTS a (\n  -- why;\n  b text\n) WITH comment = 'x; y';  \n"
        "\nDROP TABLE IF EXISTS c;"
    )
    statements = Migration("app", "001_x.cql", text).statements
    assert statements == ["CREATE TABLE IF NOT EXISTS a (\n  b text\n) WITH comment = 'x; y'", "DROP TABLE IF EXISTS c"]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("1_short.cql", "", "NNN_name"),
        ("001-dash.cql", "", "NNN_name"),
        ("001_once.cql", "CREATE TABLE a (b int PRIMARY KEY);", "IF NOT EXISTS"),
        ("001_alter.cql", "ALTER TABLE a ADD c int;", "IF NOT EXISTS"),
    ],
)
def test_a_file_that_could_not_run_twice_is_refused(name: str, text: str, fault: str) -> None:
    with pytest.raises(MigrationError, match=fault):
        migrations._check_form(Migration("storage", name, text))


@pytest.mark.parametrize("keyspace", ["Feed", "1feed", "feed; DROP", ""])
@needs_cassandra
def test_a_keyspace_name_is_checked_before_it_is_put_into_cql(cassandra: None, keyspace: str) -> None:
    with override_settings(CASSANDRA_KEYSPACE=keyspace), pytest.raises(MigrationError, match="CASSANDRA_KEYSPACE"):
        migrate(print)


@pytest.mark.parametrize("error", [ConnectionShutdown("lost"), OperationTimedOut()], ids=repr)
@pytest.mark.parametrize("holder", ["me", "another"])
def test_a_lock_whose_answer_was_lost_is_read_again(error: Exception, holder: str) -> None:
    session = Mock()
    session.execute.side_effect = [error, Mock(one=lambda: (holder,))]
    assert migrations._conditional(session, migrations.LOCK, ("me", 180), "me") is (holder == "me")


@pytest.mark.parametrize("error", [ConnectionShutdown("lost"), OperationTimedOut()], ids=repr)
def test_a_node_that_is_lost_on_the_way_is_unavailable(error: Exception) -> None:
    with patch.object(migrations, "open_cluster") as opened:
        opened.return_value.connect.return_value.execute.side_effect = error
        with pytest.raises(Unavailable):
            migrations.unapplied()
