"""PostgreSQL and Cassandra restored from different moments: what both have stands, what was lost is told, the audit is
clean. On servers of its own, through the commands that docs/operations.md names."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.models import User
from accounts.people import services, suspending
from accounts.people.lost import name_of
from deploy.cassandra.backups import put_back, take
from deploy.cassandra.node import CassandraNode
from deploy.errors import CannotStart
from deploy.supervisor.ports import free_port
from fanout.orders.dispatch import dispatcher
from storage import stores
from storage.cassandra import session
from storage.cassandra.migrations import migrate
from storage.cassandra.outbox import forget_known
from tests import postgresql as servers
from tests.backends import own_file, vouch_for_all
from tests.integration.feed.commands import audit_timelines, reconcile
from tests.integration.tweeting import home, post, viewer
from tests.people import PASSWORD, new_person
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.liking import like

pytestmark = pytest.mark.cassandra


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CassandraNode]:
    node = CassandraNode(tmp_path / "cassandra", jmx_port=free_port(), heap_mb=512, commitlog_sync="periodic")
    with node, override_settings(STORE="cassandra", CASSANDRA_HOSTS=[node.host], CASSANDRA_PORT=node.port):
        forget_all()
        migrate(lambda line: None)
        yield node
    forget_all()


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.PostgreSQL]:
    bin_dir = servers.programs()
    if bin_dir is None:
        servers.missing("PostgreSQL")
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    with servers.running(bin_dir) as server:
        yield server


def forget_all() -> None:
    """As when every process has been ended, and begins anew."""
    session.close()
    forget_known()
    stores.reset()
    tweet_store.cache_clear()
    accounts.forget_all()


@pytest.mark.timeout(900)
def test_both_stores_from_different_moments(
    database: None, redis_servers: None, node: CassandraNode, postgres: servers.PostgreSQL, tmp_path: Path
) -> None:
    with own_file("store", tmp_path), servers.people_in(postgres), patch.object(dispatcher, "send"):
        author, reader = new_person("author"), new_person("reader")
        follows.follow(reader.id, author.id)
        early = post(author)
        backup(tmp_path / "people")

        late, later = new_person("late"), new_person("later")
        follows.follow(reader.id, late.id)
        follows.follow(late.id, author.id)
        tweet_of_late = post(late)
        like(viewer=viewer(later), tweet_id=early)
        between = post(author)
        work_off_everything()
        assert home(reader) == [between, tweet_of_late, early]
        take(node.data_dir, node.jmx_port, tmp_path / "store", keyspace=settings.CASSANDRA_KEYSPACE)

        never = post(author)
        follows.unfollow(reader.id, author.id)

        put_back_both(node, postgres, tmp_path)
        assert not User.objects.filter(username__in=["late", "later"]).exists()

        status, lines = reconcile("--dry-run")
        expected = {f"account {each.id}: lost; @{name_of(each.id)} stands in" for each in (late, later)}
        assert (status, set(lines[:-1])) == (1, expected)
        status, lines = reconcile()
        assert (status, set(lines[:-1])) == (0, expected)
        work_off_everything()

        assert home(reader) == [between, early]
        assert set(tweet_store().get_many([tweet_of_late, never])) == {tweet_of_late}, "hidden, and not deleted"
        assert audit_timelines()[0] == 0
        assert reconcile() == (0, ["nothing was lost"])
        assert services.sign_in(login="reader", password=PASSWORD).id == reader.id
        suspending.restore(User.objects.get(pk=late.id), by=author)
        work_off_everything()
        assert home(reader) == [between, tweet_of_late, early]
        assert home(author)[0] > 0
        after = post(author)
        work_off_everything()
        assert home(reader)[0] == after
        assert audit_timelines()[0] == 0


def put_back_both(node: CassandraNode, postgres: servers.PostgreSQL, directory: Path) -> None:
    """As docs/operations.md says: neither over what runs, nor over what is there."""
    with pytest.raises(CannotStart, match="running node"):
        put_back(node.data_dir, directory / "store")
    forget_all()
    node.stop()
    put_back(node.data_dir, directory / "store")
    node.start()
    with pytest.raises(CommandError, match="is not empty"):
        restore(directory / "people")
    emptied(postgres)
    restore(directory / "people")
    call_command("migrate", verbosity=0)
    call_command("empty_redis", stdout=StringIO())
    vouch_for_all()


def backup(directory: Path) -> None:
    call_command("backup", str(directory), stdout=StringIO())


def restore(directory: Path) -> None:
    call_command("restore", str(directory), stdout=StringIO())


def emptied(postgres: servers.PostgreSQL) -> None:
    """As a new server would be, in which the role is made and the database."""
    connections["default"].close()
    with psycopg.connect(postgres.url.replace("/postgres", "/template1"), autocommit=True) as server:
        server.execute("DROP DATABASE postgres WITH (FORCE)")
        server.execute("CREATE DATABASE postgres")
