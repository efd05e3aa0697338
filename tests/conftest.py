"""Fixtures shared by all suites: databases, real Redis servers, a real Cassandra, the store.

`store` runs a test once on each engine. Nothing is mocked: a server is started at the first
test that needs it and stopped at the end of the session. Isolation is by fresh ids
(`tests.ids.new_id`) where tests share a server, by emptying where they cannot.
"""

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.management.color import no_style
from django.core.signals import setting_changed
from django.db import connections
from django.dispatch import receiver
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from accounts.account_cache.vouching import Vouching
from accounts.people.names import forget_names
from config.observability import health
from deploy.cassandra.node import START_SECONDS, CassandraNode, answers_cql, why_unavailable
from deploy.opensearch.node import OpenSearchNode
from deploy.opensearch.node import why_unavailable as why_opensearch_is_unavailable
from deploy.supervisor.processes import wait_until
from deploy.valkey import Valkey
from storage import breakers, stores
from storage.cassandra import session as cassandra_session
from storage.cassandra.migrations import migrate
from storage.cassandra.outbox import forget_known
from storage.redis import deferred_writes
from storage.redis.deferred_writes import timeline_writes
from storage.redis.generations import begin
from storage.redis.node import broker_node, timeline_node
from storage.redis.shards import forget_keys
from storage.redis.tallies import Tallies, tallies
from tests.backends import vouch_for_all
from tests.order import shuffled
from tests.settings import EXTERNAL_CASSANDRA, REDIS_PASSWORD, TEST_DIR, TIMELINES_ON_A_CLUSTER
from tests.valkey_cluster import ValkeyCluster
from tweets.stores.port import tweet_store

KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}
"""Written by migrations, not by tests."""
SHUFFLED = "--shuffled"
OUTBOX_TABLES = {
    "outbox",
    "outbox_minutes",
    "outbox_unread",
    "outbox_parts",
    "outbox_attempts",
    "reader_places",
    "dead_letters",
    "dead_letter_hours",
}
_truncated_at: dict[str, int] = {}
"""How often each had been written when it was truncated last."""
JAVA_SERVERS: dict[str, Callable[[], str | None]] = {
    "Cassandra": lambda: None if EXTERNAL_CASSANDRA else why_unavailable(),
    "OpenSearch": why_opensearch_is_unavailable,
}
"""Each with what is missing to start it here; its tests have a mark of its name."""
MISSING = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(SHUFFLED, type=int, metavar="SEED", help="an order of files, and of each one's tests, of its own")


def pytest_report_header(config: pytest.Config) -> str | None:
    seed = config.getoption(SHUFFLED)
    return None if seed is None else f"shuffled with SEED={seed}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Java or Maven, tests of Cassandra and OpenSearch are skipped, and that is said; in CI it is an error."""
    if (seed := config.getoption(SHUFFLED)) is not None:
        items[:] = shuffled(items, seed)
    config.stash[MISSING] = {}
    for server, why_not in JAVA_SERVERS.items():
        need = [item for item in items if item.get_closest_marker(server.lower())]
        reason = why_not() if need else None
        if reason is None:
            continue
        if os.environ.get("CI") == "true":
            raise pytest.UsageError(f"CI must run the {server} suites: {reason}")
        config.stash[MISSING][server] = reason
        for item in need:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: looking through it again and again was a twentieth of all CPU."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for server, reason in config.stash.get(MISSING, {}).items():
        terminalreporter.write_line(f"SKIPPED: every {server} suite, because {reason}", red=True, bold=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(TEST_DIR, ignore_errors=True)


@receiver(setting_changed)
def _forget_keys(setting: str, **_: object) -> None:
    """A process of the product never sees another number of shards; a test may."""
    if setting == "TIMELINE_SHARDS":
        forget_keys()


@pytest.fixture(autouse=True)
def _closed_breakers() -> Iterator[None]:
    """What one test broke is nothing that the next one knows of."""
    yield
    breakers.reset_all()


@pytest.fixture(autouse=True)
def _every_look_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """`/readyz` tells a test what is so now, and not a second ago."""
    monkeypatch.setattr(health, "LOOK_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _nobody_writes_later(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that forget what Redis did not take: what the orders make good is then seen by itself."""
    if "deferred_writes_run" not in request.fixturenames:
        monkeypatch.setattr(timeline_writes, "keep", lambda write: None)


@pytest.fixture(autouse=True)
def _figures_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread tells Redis of them while round trips are counted: a test that wants them there tells them itself."""
    monkeypatch.setattr(Tallies, "_start", lambda tallies: None)
    tallies.start_anew()


@pytest.fixture(autouse=True, scope="session")
def _nobody_looks() -> Iterator[None]:
    """No thread looks for changes that Redis was not told, also between tests, as threads of servers go on there: a
    test that wants a look has one itself."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(Vouching, "_start", lambda vouching: None)
        yield


@pytest.fixture
def deferred_writes_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process tells Redis again what it did not take, and soon."""
    monkeypatch.setattr(deferred_writes, "PAUSE_SECONDS", 0.05)
    yield
    timeline_writes.forget()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Every database of settings, migrated; pytest-django's own fixture makes only those that marks name."""
    with django_db_blocker.unblock():
        created = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(created, verbosity=0)


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Both SQL databases, usable from any thread and emptied after the test.

    In place of the `django_db` mark, which knows one database and one thread.
    """
    with django_db_blocker.unblock():
        yield
        for alias in connections:
            empty_database(alias)


def empty_database(alias: str) -> None:
    """Deletes every row of one database but those of migrations."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) - KEPT_TABLES
    connection.ops.execute_sql_flush(
        connection.ops.sql_flush(no_style(), sorted(tables), reset_sequences=False, allow_cascade=False)
    )


@pytest.fixture(scope="session")
def timeline_redis() -> Iterator[Valkey]:
    """The running server behind TIMELINE_REDIS_URL; with TIMELINES=cluster a primary of the cluster that runs there."""
    if TIMELINES_ON_A_CLUSTER:
        ports = [int(place.rpartition(":")[2]) for place in django_settings.TIMELINE_REDIS_URL.split(",")]
        with ValkeyCluster(ports, password=REDIS_PASSWORD) as cluster:
            yield cluster.primaries[0]
        return
    with Valkey(_port(django_settings.TIMELINE_REDIS_URL), password=REDIS_PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def broker_redis() -> Iterator[Valkey]:
    """The running server behind BROKER_REDIS_URL."""
    with Valkey(_port(django_settings.BROKER_REDIS_URL), password=REDIS_PASSWORD) as server:
        yield server


@pytest.fixture
def redis_servers(timeline_redis: Valkey, broker_redis: Valkey) -> None:
    """Both Redis servers, running and empty but for a generation, which would be begun by emptying, and vouched for."""
    for node in (timeline_node(), broker_node()):
        node.round_trip(("FLUSHALL",))
    begin(timeline_node())
    vouch_for_all()
    forget_names()


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A migrated Cassandra that settings point to; from CASSANDRA_HOSTS, where it may still be starting, or started
    here."""
    if EXTERNAL_CASSANDRA:
        host, port = django_settings.CASSANDRA_HOSTS[0], django_settings.CASSANDRA_PORT
        assert wait_until(lambda: answers_cql(host, port), seconds=START_SECONDS), f"no Cassandra at {host}:{port}"
        with _keyspace():
            yield
            cassandra_session.execute(f"DROP KEYSPACE {django_settings.CASSANDRA_KEYSPACE}")
        return
    directory, port = tmp_path_factory.mktemp("cassandra"), django_settings.CASSANDRA_PORT
    with CassandraNode(data_dir=directory, port=port, commitlog_sync="periodic", throwaway=True), _keyspace():
        yield


@contextmanager
def _keyspace() -> Generator[None]:
    migrate(print)
    try:
        yield
    finally:
        cassandra_session.close()


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchNode]:
    """A running node, whose indices are its tests' own."""
    with OpenSearchNode(tmp_path_factory.mktemp("opensearch")) as node:
        yield node


@pytest.fixture
def empty_cassandra_outbox(cassandra: None) -> None:
    """Truncates what was written since it was truncated last, for a TRUNCATE of an empty table costs as much as ten
    reads. Not what holds a row: of tests whose clocks stand still, one's tombstones would hide what the next writes."""
    for table, writes in _writes_of_the_outbox().items():
        if writes != _truncated_at.get(table):
            cassandra_session.execute(f"TRUNCATE {table}")
            _truncated_at[table] = writes
    forget_known()


def _writes_of_the_outbox() -> dict[str, int]:
    """How many there have been, of any process."""
    counted = cassandra_session.execute("SELECT keyspace_name, table_name, count FROM system_views.local_write_latency")
    keyspace = django_settings.CASSANDRA_KEYSPACE
    return {table: writes for owner, table, writes in counted if owner == keyspace and table in OUTBOX_TABLES}


@pytest.fixture
def empty_outbox(request: pytest.FixtureRequest, store: str) -> None:
    """An outbox without the orders of other tests: its listings are of everybody's."""
    if store == "cassandra":
        request.getfixturevalue("empty_cassandra_outbox")


@pytest.fixture(params=["embedded", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def store(request: pytest.FixtureRequest, database: None) -> Iterator[str]:
    """settings.STORE, once each: the test runs on both engines."""
    if request.param == "cassandra":
        request.getfixturevalue("cassandra")
    with override_settings(STORE=request.param):
        _forget_stores()
        yield request.param
    _forget_stores()


def _forget_stores() -> None:
    stores.reset()
    tweet_store.cache_clear()
