"""What the contract cannot see of the embedded engine: its file apart, its indexes, its failures."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from unittest.mock import patch

import pytest
from django.db import OperationalError, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from storage.embedded import base, write_lock
from storage.embedded.associations import EmbeddedAssociations
from storage.embedded.base import ALIAS, writing
from storage.embedded.outbox import EmbeddedOutbox
from storage.embedded.router import StoreRouter
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.models import Edge
from storage.ports.associations import Change
from storage.ports.outbox import Order
from tests.ids import new_id
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("database")


def tables(alias: str) -> set[str]:
    with connections[alias].cursor() as cursor:
        return set(connections[alias].introspection.table_names(cursor))


def test_each_database_has_its_own_tables_only() -> None:
    embedded = {
        "storage_edge",
        "storage_edgelevel",
        "storage_outboxorder",
        "storage_outboxpart",
        "storage_workerlease",
    } | {"storage_idempotencykey"}
    assert embedded <= tables(ALIAS)
    assert not embedded & tables("default")
    assert "accounts_user" in tables("default")
    assert "accounts_user" not in tables(ALIAS)


@pytest.mark.parametrize(
    ("app", "model", "embedded"),
    [
        ("storage", "edge", True),
        ("storage", "a_model_since_dropped", True),
        ("storage", None, True),
        ("accounts", "user", False),
        ("accounts", None, False),
        ("auth", "permission", False),
        ("an_app_since_removed", "thing", False),
    ],
)
def test_migrations_go_to_one_database(app: str, model: str | None, embedded: bool) -> None:
    router = StoreRouter()
    assert router.allow_migrate(ALIAS, app, model) is embedded
    assert router.allow_migrate("default", app, model) is not embedded


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (lambda store: store.find(1, "k", [2]), "edge"),
        (lambda store: store.targets(1, "k"), "edge"),
        (lambda store: store.newest_targets(1, "k", before=9, limit=5), "edge_out_by_time"),
        (lambda store: store.newest_sources(1, "k", before=9, limit=5), "edge_in_by_time"),
        (lambda store: store.bucket_sources(1, "k", 0, limit=5), "edge_in_by_bucket"),
        (lambda store: store.count_sources(1, "k"), "edge_in_by"),
        (lambda store: store.count_targets(1, "k"), "edge_out_by_time"),
    ],
)
def test_every_listing_is_one_query_on_an_index_without_sorting(
    read: Callable[[EmbeddedAssociations], object], index: str
) -> None:
    with CaptureQueriesContext(connections[ALIAS]) as captured:
        read(EmbeddedAssociations())
    assert len(captured) == 1
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {captured[0]['sql']}")
        plan = " ".join(row[3] for row in cursor.fetchall())
    assert f"INDEX {index}" in plan or (index == "edge" and "USING INDEX" in plan), plan
    assert "TEMP B-TREE" not in plan


def test_a_failed_order_takes_its_changes_with_it() -> None:
    source, target = new_id(), new_id()
    unwritable = Order(id=1 << 70, kind="x", args=())
    with pytest.raises(OverflowError):
        EmbeddedAssociations().apply([Change(source, "like", target, new_id(), True)], unwritable)
    assert not Edge.objects.filter(source=source).exists()


def test_a_locked_file_is_unavailable() -> None:
    connection = connections[ALIAS]
    connection.cursor().execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"])
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unavailable) as refused:
            EmbeddedOutbox().add(Order(new_id(), "x", ()))
        assert refused.value.backend == "store"
        assert EmbeddedOutbox().open_orders(before=MAX_ID, limit=1) == []
    finally:
        other.close()
        connection.close()


def test_threads_that_write_take_turns_and_nobody_is_refused() -> None:
    """None of them would get the lock by waiting for it as SQLite does: it looks again after a while, and gives up."""

    def write() -> None:
        connections[ALIAS].cursor().execute("PRAGMA busy_timeout = 1")
        for _ in range(3):
            with writing():
                time.sleep(0.02)

    run_together([write] * 8)


def test_a_write_may_be_part_of_another() -> None:
    order = Order(new_id(), "x", ())
    with writing():
        EmbeddedOutbox().add(order)
    assert EmbeddedOutbox().open_order(order.id) == order


def test_who_gets_no_turn_in_time_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_lock, "LOCK_SECONDS", 0.05)
    with writing(), ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable):
        pool.submit(EmbeddedOutbox().add, Order(new_id(), "x", ())).result()


def test_a_child_forked_while_a_thread_writes_is_not_stuck() -> None:
    """Only its lock: what SQLite had open is no child's to use."""
    holding, forked = threading.Event(), threading.Event()

    def no_turn() -> bool:
        """Not while its parent, whose file it does not share, has one."""
        write_lock.LOCK_SECONDS = 0.05
        try:
            with write_lock.write_lock.held(base._file()):
                return False
        except OperationalError:
            return True

    def write() -> None:
        with writing():
            holding.set()
            forked.wait(timeout=30)
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        assert holding.wait(timeout=30)
        child = os.fork()
        if child == 0:
            os._exit(0 if write_lock.write_lock._lock.acquire(timeout=5) and no_turn() else 1)
        _, status = os.waitpid(child, 0)
        forked.set()
        written.result()
    assert os.waitstatus_to_exitcode(status) == 0


HOLDER = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_writing() -> Iterator[subprocess.Popen[str]]:
    path = f"{connections[ALIAS].settings_dict['NAME']}.turns"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdin=PIPE, stdout=PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_process_waits_for_another_that_writes_and_writes_when_it_has_died() -> None:
    order = Order(new_id(), "x", ())
    with another_process_writing() as holder:
        with patch.object(write_lock, "LOCK_SECONDS", 0.05), pytest.raises(Unavailable):
            EmbeddedOutbox().add(order)
        with ThreadPoolExecutor(1) as pool:
            added = pool.submit(EmbeddedOutbox().add, order)
            with pytest.raises(TimeoutError):
                added.result(timeout=0.2)
            holder.kill()
            added.result(timeout=10)
    assert EmbeddedOutbox().open_order(order.id) == order


def test_where_no_file_can_be_made_the_store_is_unavailable(tmp_path: Path) -> None:
    with patch.object(base, "_file", lambda: str(tmp_path / "missing" / "store")), pytest.raises(Unavailable):
        EmbeddedOutbox().add(Order(new_id(), "x", ()))


@override_settings(STORE="cassandra")
def test_with_cassandra_embedded_models_have_tables_nowhere() -> None:
    assert StoreRouter().allow_migrate("default", "storage", "edge") is False
