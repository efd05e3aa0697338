"""What the contract cannot see of the embedded engine: its file apart, its indexes, its failures."""

import sqlite3
from collections.abc import Callable

import pytest
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from storage.associations import Change
from storage.embedded.associations import EmbeddedAssociations
from storage.embedded.base import ALIAS
from storage.embedded.outbox import EmbeddedOutbox
from storage.embedded.router import StoreRouter
from storage.errors import Unavailable
from storage.ids import MAX_ID
from storage.models import Edge
from storage.outbox import Order
from tests.ids import new_id

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


@override_settings(STORE="cassandra")
def test_with_cassandra_embedded_models_have_tables_nowhere() -> None:
    assert StoreRouter().allow_migrate("default", "storage", "edge") is False
