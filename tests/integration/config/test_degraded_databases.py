"""The rows of the table of degraded modes that are about Cassandra, SQLite and PostgreSQL (see test_degraded.py)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections
from django.test import override_settings

from accounts import sql
from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.models import User
from accounts.people import selectors
from storage.breakers import State
from storage.cassandra import session
from storage.embedded import base as embedded
from storage.postgresql import base as postgresql_base
from storage.redis.node import timeline_node
from storage.stores import store_breaker
from tests import postgresql as servers
from tests.backends import Probes, counted_sql, counted_store_calls, let_it_be_known
from tests.integration.degrading import closes, how_down, is_503, is_told, page, posted, sign_in, sign_up
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person
from tests.proxies import Proxy
from tests.work import work_off_everything
from tweets.caches import counts


@pytest.fixture
def cassandra_behind(cassandra: None) -> Iterator[Proxy]:
    """The session reaches its node through this."""
    with Proxy((settings.CASSANDRA_HOSTS[0], settings.CASSANDRA_PORT)) as proxy:
        session.close()
        with override_settings(CASSANDRA_HOSTS=["127.0.0.1"], CASSANDRA_PORT=proxy.port, CASSANDRA_TIMEOUT_SECONDS=1.0):
            yield proxy
            session.close()


@pytest.mark.cassandra
class TestCassandra:
    @how_down
    def test_signing_in_and_cached_pages_work_and_the_rest_is_refused_at_once(
        self, cassandra_behind: Proxy, product: str, probes: Probes, how: str
    ) -> None:
        if product != "cassandra":
            pytest.skip("the embedded store is below")
        author, reader = new_person(), new_person()
        follows.follow(reader.id, author.id)
        writing, reading = ApiClient(author), ApiClient(reader)
        tweet = posted(writing)
        work_off_everything()
        assert page(reading) == page(reading) == [tweet]
        breaker = store_breaker()
        with cassandra_behind.down(how):
            let_it_be_known(breaker, session.ping)
            with patch.object(session, "_opened") as opened:
                assert session.execute_all([]) == []
                with counted_store_calls() as calls:
                    assert page(reading) == [tweet]
                assert calls == [], "a page that is wholly in Redis"
                timeline_node().round_trip(("DEL", counts.COUNTS.key(tweet)))
                assert page(reading) == [tweet], "and when its counts, which end first, have ended"
                counts.forget_all()
                assert is_503(reading.get("/api/v1/feed/home"))
                assert sign_in(reader).status_code == 200
                assert is_503(writing.post("/api/v1/tweets", {"text": "hello"}, "application/json"))
                assert is_503(reading.get(f"/api/v1/users/{author.username}/tweets"))
                assert is_503(reading.put(f"/api/v1/users/{author.username}/follow"))
                is_told("store")
            opened.assert_not_called()
        assert closes(breaker, probes)
        assert posted(writing) > tweet

    def test_a_refused_statement_opens_nothing(self, cassandra_behind: Proxy, probes: Probes) -> None:
        for _ in range(5):
            with pytest.raises(Exception, match="nothing"):
                session.execute("SELECT nothing FROM edges_out")
        assert session.breaker.state is State.CLOSED


class TestEmbeddedStore:
    def test_while_it_cannot_be_written_reading_goes_on_and_posting_is_refused_at_once(
        self, product: str, probes: Probes
    ) -> None:
        if product != "embedded":
            pytest.skip("of the embedded store")
        author = new_person()
        client = ApiClient(author)
        tweet = posted(client)
        with impatient("store"), write_locked("store"):
            let_it_be_known(embedded.breaker, lambda: post(author))
            with counted_sql("store") as statements:
                assert is_503(client.post("/api/v1/tweets", {"text": "hello"}, "application/json"))
            assert not [sql for sql in statements if sql.startswith("BEGIN")]
            assert page(client) == [tweet]
            answer = client.get(f"/api/v1/users/{author.username}/tweets")
            assert [each["id"] for each in answer.json()["data"]] == [str(tweet)]
            is_told("store")
        assert closes(embedded.breaker, probes)
        assert posted(client) > tweet


@contextmanager
def impatient(alias: str) -> Iterator[None]:
    """This thread waits for SQLite's lock for a moment only."""
    connections[alias].cursor().execute("PRAGMA busy_timeout = 20")
    try:
        yield
    finally:
        connections[alias].close()


@contextmanager
def write_locked(alias: str) -> Iterator[None]:
    other = connections.create_connection(alias)
    other.cursor().execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[servers.PostgreSQL]:
    bin_dir = servers.programs()
    if bin_dir is None:
        servers.missing("PostgreSQL")
    with servers.running(bin_dir) as server:
        yield server


@on_one_store
@pytest.mark.usefixtures("product")
class TestDatabaseOfPeople:
    @how_down
    def test_who_is_known_reads_on_and_signing_up_and_in_is_refused_at_once(
        self, postgres: servers.PostgreSQL, probes: Probes, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        monkeypatch.setattr(postgresql_base, "ANSWER_SECONDS", 0.5)
        with servers.people_in(postgres):
            author, reader = new_person(), new_person()
            follows.follow(reader.id, author.id)
            client = ApiClient(reader)
            tweet = post(author)
            work_off_everything()
            assert page(client) == page(client) == [tweet]
            with postgres.down(how):
                let_it_be_known(sql.breaker, lambda: as_in_a_request(reader))
                accounts.forget_all()
                with patch.object(connections["default"], "ensure_connection") as connecting:
                    assert page(client) == [tweet]
                    assert is_503(sign_in(reader))
                    assert is_503(sign_up("late_comer"))
                    is_told("database")
                connecting.assert_not_called()
            assert closes(sql.breaker, probes)
            close_old_connections()
            assert sign_in(reader).status_code == 200

    def test_a_silent_database_is_asked_three_times(self, probes: Probes) -> None:
        """The same without a PostgreSQL server: the connection fails as it would."""
        person, asked = new_person(), list[str]()

        def fail(_: Any, statement: str, *__: Any) -> Any:
            asked.append(statement)
            raise OperationalError("gone")

        with connection.execute_wrapper(fail):
            for _ in range(10):
                assert is_503(sign_in(person))
        assert len(asked) == sql.FAILURES
        assert closes(sql.breaker, probes)
        assert sign_in(person).status_code == 200

    def test_blocks_that_ask_for_nothing_do_not_hide_that_it_is_silent(self, probes: Probes) -> None:
        person = new_person()
        with connection.execute_wrapper(_gone):
            for _ in range(sql.FAILURES):
                assert selectors.find_login("not a name") is None
                assert is_503(sign_in(person))
        assert sql.breaker.state is not State.CLOSED


def _gone(*_: Any) -> Any:
    raise OperationalError("gone")


def as_in_a_request(person: User) -> None:
    """Connections that failed are given up at a request's ends."""
    close_old_connections()
    follows.require_present(person.id)
