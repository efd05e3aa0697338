"""Each row of the table of degraded modes (docs/guarantees.md), with the backend dead and with it hung.

A dead server is killed and refuses connections; a hung one takes them and never answers. Time
is not measured here (bench/degraded.py does that): what is counted is whom anybody waits for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from celery import Celery
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections
from django.test import Client, override_settings
from redis.exceptions import MaxConnectionsError

from accounts import caches, cards, graph, selectors, sql, tokens
from accounts.models import User
from config import health
from config.metrics import state as metrics_state
from deploy.processes import wait_until
from deploy.valkey import Valkey
from fanout import delivery, sweeper, tasks
from fanout.dispatch import dispatcher
from fanout.orders import deliver_order
from storage import breakers
from storage.breakers import Breaker, State
from storage.cassandra import session
from storage.embedded import base as embedded
from storage.errors import Unavailable
from storage.ids import make_id, now_us
from storage.postgresql import base as postgresql_base
from storage.redis import Command, RedisNode, broker_node, timeline_node
from storage.stores import outbox, store_breaker
from tests import postgresql as servers
from tests.backends import (
    Probes,
    connected_anew,
    counted_sql,
    counted_store_calls,
    let_it_be_known,
    probes_by_hand,
)
from tests.ids import new_id
from tests.integration.tweeting import home, post, viewer
from tests.outages import server_down
from tests.people import PASSWORD, ApiClient, new_person
from tests.proxies import Proxy
from tests.work import open_orders, work_off_everything
from tweets import counts
from tweets.services import delete_tweet

NODES: Mapping[str, Callable[[], RedisNode]] = {"redis_timelines": timeline_node, "redis_broker": broker_node}
TIMELINES, BROKER = NODES
how_down = pytest.mark.parametrize("how", ["dead", "hung"])


@pytest.fixture
def probes() -> Iterator[Probes]:
    with probes_by_hand() as by_hand:
        yield by_hand


@pytest.fixture
def redis_named(
    store: str, empty_outbox: None, redis_servers: None, timeline_redis: Valkey, broker_redis: Valkey
) -> dict[str, Valkey]:
    """The product on one engine with both Redis servers; orders go to the real broker, where no worker is."""
    cards.forget_all()
    return {TIMELINES: timeline_redis, BROKER: broker_redis}


@contextmanager
def known_down(servers: Mapping[str, Valkey], names: Sequence[str], how: str) -> Iterator[None]:
    """Inside, those servers are down and this process knows."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(server_down(servers[name], how))
            with connected_anew(NODES[name](), timeout_seconds=0.3):
                let_it_be_known(NODES[name]().breaker, NODES[name]().ping)
        yield


@contextmanager
def asked_nodes() -> Iterator[list[str]]:
    """The Redis nodes that were really asked inside, and "celery" for each message to the broker."""
    asked: list[str] = []
    send, send_task = RedisNode._send, Celery.send_task

    def noted(self: RedisNode, commands: Sequence[Command]) -> list[Any]:
        asked.append(self.name)
        return send(self, commands)

    def noted_task(*args: Any, **options: Any) -> Any:
        asked.append("celery")
        return send_task(*args, **options)

    with patch.object(RedisNode, "_send", noted), patch.object(Celery, "send_task", noted_task):
        yield asked


def posted(client: ApiClient, text: str = "hello") -> int:
    answer = client.post("/api/v1/tweets", {"text": text}, "application/json")
    assert answer.status_code == 201, answer.content
    return int(answer.json()["data"]["id"])


def page(client: ApiClient) -> list[int]:
    answer = client.get("/api/v1/feed/home")
    assert answer.status_code == 200, answer.content
    return [int(tweet["id"]) for tweet in answer.json()["data"]]


def page_by_graphql(client: ApiClient) -> list[int]:
    query = {"query": "{ homeTimeline(first: 20) { edges { node { id } } } }"}
    answer = client.post("/graphql", query, "application/json").json()
    return [int(edge["node"]["id"]) for edge in answer["data"]["homeTimeline"]["edges"]]


def sent_again() -> int | None:
    """How many orders a sweep sends; None when the broker does not take any."""
    try:
        return sweeper.sweep()
    except Unavailable:
        return None


def sign_in(person: User) -> Any:
    given = {"username": person.username, "password": PASSWORD}
    return Client().post("/api/v1/auth/token", given, "application/json")


def sign_up(name: str) -> Any:
    given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    return Client().post("/api/v1/auth/register", given, "application/json")


def is_503(answer: Any) -> bool:
    return (
        answer.status_code == 503 and int(answer["Retry-After"]) >= 1 and "does not answer" in answer.json()["detail"]
    )


def is_told(name: str) -> None:
    """In /readyz and in /metrics, and by nobody's asking the backend."""
    told = Client().get("/readyz")
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    assert (told.json()["backends"][name], told.json()["breakers"][name]) == ("down", "open")
    assert told.json()["degraded"][name]
    metrics_state.forget()
    scraped = Client().get("/metrics").content.decode()
    assert f'breaker_open{{backend="{name}"}} 1.0' in scraped
    assert f'backend_up{{backend="{name}"}} 0.0' in scraped
    metrics_state.forget()


def closes(breaker: Breaker, probes: Probes) -> bool:
    """By itself, once it has probed a backend that answers."""

    def probed() -> bool:
        probes.let(1)
        return breaker.state is State.CLOSED

    return probes.until(probed)


class TestRedis:
    @how_down
    @pytest.mark.parametrize("names", [(TIMELINES,), (BROKER,), (TIMELINES, BROKER)], ids="+".join)
    def test_posting_and_reading_wait_for_nobody_and_nothing_is_lost(
        self, redis_named: dict[str, Valkey], probes: Probes, names: tuple[str, ...], how: str
    ) -> None:
        author, reader = new_person(), new_person()
        graph.follow(reader.id, author.id)
        writing, reading = ApiClient(author), ApiClient(reader)
        before = posted(writing)
        work_off_everything()
        assert page(reading) == page(writing) == [before]
        with known_down(redis_named, names, how):
            with asked_nodes() as asked:
                during = posted(writing)
                dispatcher.drain(60.0)
                assert page(writing) == [during, before], "their own at once"
                pulled = [during, before] if TIMELINES in names else [before]
                assert page(reading) == page_by_graphql(reading) == pulled
                with override_settings(SWEEP_AFTER_SECONDS=0):
                    assert sent_again() == (None if BROKER in names else 1)
                for name in names:
                    is_told(name)
            assert not {*asked} & {*names, *(["celery"] if BROKER in names else [])}
        assert during in {order.args[0] for order in open_orders()}
        assert all(closes(NODES[name]().breaker, probes) for name in names)
        if BROKER in names:
            with override_settings(SWEEP_AFTER_SECONDS=0):
                assert sent_again() == 1, "the broker takes it now"
        work_off_everything()
        assert page(reading) == page(writing) == [during, before]
        assert open_orders() == []

    @how_down
    def test_a_worker_leaves_its_orders_open_at_once(
        self, redis_named: dict[str, Valkey], probes: Probes, how: str
    ) -> None:
        author, reader = new_person(), new_person()
        graph.follow(reader.id, author.id)
        work_off_everything()
        home(reader)
        with known_down(redis_named, [TIMELINES], how):
            tweet = post(author)
            [order] = open_orders()
            with asked_nodes() as asked:
                with pytest.raises(Unavailable):
                    delivery.work_off(order)
                tasks.work_orders([(order.id, order.kind)])
                tasks.sweep()
            assert TIMELINES not in asked
        assert open_orders() == [order]
        assert closes(timeline_node().breaker, probes)
        tasks.work_orders([(order.id, order.kind)])
        assert (home(reader), open_orders()) == ([tweet], [])

    def test_what_a_process_changed_before_it_noticed_is_made_good_by_its_order(
        self, redis_named: dict[str, Valkey], probes: Probes
    ) -> None:
        """Redis is back, others read there, and this process cannot tell it of the change."""
        author, reader = new_person(), new_person()
        tweet = post(author)
        work_off_everything()
        assert home(reader) == []
        with known_down(redis_named, [TIMELINES], "hung"):
            pass
        graph.follow(reader.id, author.id)
        assert home(reader) == [tweet], "here it is in force: the store is read"
        timeline_node().breaker.reset()
        assert [order.kind for order in open_orders()] == [graph.GRAPH_ORDER]
        work_off_everything()
        assert home(reader) == [tweet], "and now for those who read in Redis"

    def test_what_redis_was_not_told_is_told_again_without_any_worker(
        self, redis_named: dict[str, Valkey], probes: Probes, retold: None
    ) -> None:
        """As soon as this process knows that Redis is back; others read there."""
        author, other, stayer, leaver = (new_person() for _ in range(4))
        for reader in (stayer, leaver):
            graph.follow(reader.id, author.id)
        graph.follow(leaver.id, other.id)
        gone, stays, others = post(author), post(author), post(other)
        work_off_everything()
        assert (home(stayer), home(leaver)) == ([stays, gone], [others, stays, gone])
        with known_down(redis_named, [TIMELINES], "hung"):
            delete_tweet(tweet_id=gone, viewer=viewer(author))
            graph.unfollow(leaver.id, other.id)
            own = post(author)
        timeline_node().breaker.reset()
        assert wait_until(lambda: home(stayer) == [stays], seconds=60), "the deletion"
        assert wait_until(lambda: home(leaver) == [own, stays], seconds=60), "the graph: made anew"
        assert wait_until(lambda: home(author) == [own, stays], seconds=60), "one's own tweet"

    def test_a_token_that_ends_meanwhile_is_refused_by_who_does_not_ask_redis(
        self, redis_named: dict[str, Valkey], probes: Probes
    ) -> None:
        client = ApiClient(new_person())
        assert page(client) == []
        with known_down(redis_named, [TIMELINES], "hung"):
            tokens.revoke(tokens.authenticate(str(client.token))[0])
            assert client.get("/api/v1/feed/home").status_code == 401

    def test_what_redis_was_not_told_ends_within_ten_seconds_of_its_return(self) -> None:
        """Its value may have been put there until the last process noticed, and lives so long from then."""
        noticed = breakers.PAUSE_SECONDS * (1 + breakers.JITTER) + settings.ENV.redis_timeout_seconds
        assert noticed + caches.TOKEN_SECONDS <= 10
        assert noticed + caches.ACCOUNT_SECONDS + cards.LOCAL_SECONDS <= 10

    def test_asking_for_nothing_works_and_proves_nothing(self, redis_named: dict[str, Valkey], probes: Probes) -> None:
        with server_down(redis_named[TIMELINES], "dead"):
            for _ in range(5):
                with pytest.raises(Unavailable):
                    timeline_node().ping()
                assert timeline_node().round_trip() == []
            assert timeline_node().breaker.state is State.OPEN

    def test_a_slow_answer_among_others_opens_nothing(self, redis_named: dict[str, Valkey]) -> None:
        node = timeline_node()
        for _ in range(4):
            with patch.object(RedisNode, "_send", side_effect=TimeoutError), pytest.raises(Unavailable):
                node.ping()
            node.ping()
            assert node.breaker.state is State.CLOSED

    def test_a_pool_that_is_used_up_is_not_redis_being_silent(self, redis_named: dict[str, Valkey]) -> None:
        with patch.object(RedisNode, "_send", side_effect=MaxConnectionsError):
            for _ in range(10):
                with pytest.raises(Unavailable):
                    timeline_node().ping()
        assert timeline_node().breaker.state is State.CLOSED

    def test_an_error_that_redis_answers_opens_nothing(self, redis_named: dict[str, Valkey]) -> None:
        for _ in range(10):
            with pytest.raises(Unavailable):
                timeline_node().round_trip(("GET",))
        assert timeline_node().breaker.state is State.CLOSED


@pytest.mark.usefixtures("product")
class TestWorkers:
    def test_that_none_of_them_works_is_told_by_the_oldest_open_order(self) -> None:
        author = new_person()
        old = make_id(now_us() - (health.LATE_SECONDS + 1) * 1_000_000, new_id() % 4_096)
        outbox().add(deliver_order(old, author.id))
        told = Client().get("/readyz").json()
        assert (told["status"], "Fan-out is late" in told["degraded"]["workers"]) == ("degraded", True)
        assert set(told["backends"].values()) == {"ok"}
        tweet = posted(ApiClient(author))
        assert page(ApiClient(author)) == [tweet], "meanwhile"
        work_off_everything()
        assert Client().get("/readyz").json()["status"] == "ok"

    def test_what_was_posted_a_moment_ago_is_not_late(self) -> None:
        post(new_person())
        assert Client().get("/readyz").json()["status"] == "ok"


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
        graph.follow(reader.id, author.id)
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
                timeline_node().round_trip(("DEL", counts.CACHE.key(tweet)))
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
        pytest.skip("no PostgreSQL is installed")
    with servers.running(bin_dir) as server:
        yield server


@pytest.mark.usefixtures("product")
class TestDatabaseOfPeople:
    @how_down
    def test_who_is_known_reads_on_and_signing_up_and_in_is_refused_at_once(
        self, postgres: servers.PostgreSQL, probes: Probes, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        monkeypatch.setattr(postgresql_base, "ANSWER_SECONDS", 0.5)
        for cached in (caches.TOKENS, caches.ACCOUNTS):
            monkeypatch.setattr(cached, "_ttl_seconds", 60)
        with servers.people_in(postgres):
            author, reader = new_person(), new_person()
            graph.follow(reader.id, author.id)
            client = ApiClient(reader)
            tweet = post(author)
            work_off_everything()
            assert page(client) == page(client) == [tweet]
            with postgres.down(how):
                let_it_be_known(sql.breaker, lambda: as_in_a_request(reader))
                cards.forget_all()
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
    graph.require_present(person.id)
