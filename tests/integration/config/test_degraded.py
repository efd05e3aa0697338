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
from django.test import Client, override_settings
from redis.exceptions import MaxConnectionsError

from accounts.account_cache import accounts
from accounts.account_cache.vouching import look
from accounts.graph import follows
from accounts.sessions import tokens
from config.observability import health
from deploy.supervisor.processes import wait_until
from deploy.valkey import Valkey
from fanout import tasks
from fanout.orders import handlers, sweeper
from fanout.orders.dispatch import dispatcher
from storage.breakers import State
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.redis.node import RedisNode, broker_node, timeline_node
from storage.redis.reads import Command
from storage.stores import outbox
from tests.backends import (
    Probes,
    connected_anew,
    let_it_be_known,
)
from tests.ids import new_id
from tests.integration.degrading import closes, how_down, is_told, page, posted
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post, viewer
from tests.outages import server_down
from tests.people import ApiClient, new_person
from tests.work import open_orders, work_off_everything
from tweets.writing.after_write import deliver_order
from tweets.writing.posting import delete_tweet

NODES: Mapping[str, Callable[[], RedisNode]] = {"redis_timelines": timeline_node, "redis_broker": broker_node}
TIMELINES, BROKER = NODES


@pytest.fixture
def redis_named(
    store: str, empty_outbox: None, redis_servers: None, timeline_redis: Valkey, broker_redis: Valkey
) -> dict[str, Valkey]:
    """The product on one engine with both Redis servers; orders go to the real broker, where no worker is."""
    accounts.forget_all()
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


def is_claimed(order_id: int) -> bool:
    """Whether somebody has sent the order lately."""
    return broker_node().round_trip(("EXISTS", f"sent:{order_id}")) == [1]


class TestRedis:
    @on_one_store
    @how_down
    @pytest.mark.parametrize("names", [(TIMELINES,), (BROKER,), (TIMELINES, BROKER)], ids="+".join)
    def test_posting_and_reading_wait_for_nobody_and_nothing_is_lost(
        self, redis_named: dict[str, Valkey], probes: Probes, names: tuple[str, ...], how: str
    ) -> None:
        author, reader = new_person(), new_person()
        follows.follow(reader.id, author.id)
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
                by_sweeper = sent_again() == 1
            assert by_sweeper or is_claimed(during), "the broker takes it now, or has it from who held it"
        work_off_everything()
        assert page(reading) == page(writing) == [during, before]
        assert open_orders() == []

    @how_down
    def test_a_worker_leaves_its_orders_open_at_once(
        self, redis_named: dict[str, Valkey], probes: Probes, how: str
    ) -> None:
        author, reader = new_person(), new_person()
        follows.follow(reader.id, author.id)
        work_off_everything()
        home(reader)
        with known_down(redis_named, [TIMELINES], how):
            tweet = post(author)
            [order] = open_orders()
            with asked_nodes() as asked:
                with pytest.raises(Unavailable):
                    handlers.work_off(order)
                tasks.work_order(order.id, order.kind)
                tasks.sweep()
            assert TIMELINES not in asked
        assert open_orders() == [order]
        assert closes(timeline_node().breaker, probes)
        tasks.work_order(order.id, order.kind)
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
        follows.follow(reader.id, author.id)
        assert home(reader) == [tweet], "here it is in force: the store is read"
        timeline_node().breaker.reset()
        assert [order.kind for order in open_orders()] == [follows.GRAPH_ORDER]
        work_off_everything()
        assert home(reader) == [tweet], "and now for those who read in Redis"

    def test_what_redis_was_not_told_is_told_again_without_any_worker(
        self, redis_named: dict[str, Valkey], probes: Probes, deferred_writes_run: None
    ) -> None:
        """As soon as this process knows that Redis is back; others read there."""
        author, other, stayer, leaver = (new_person() for _ in range(4))
        for reader in (stayer, leaver):
            follows.follow(reader.id, author.id)
        follows.follow(leaver.id, other.id)
        gone, stays, others = post(author), post(author), post(other)
        work_off_everything()
        assert (home(stayer), home(leaver)) == ([stays, gone], [others, stays, gone])
        with known_down(redis_named, [TIMELINES], "hung"):
            delete_tweet(tweet_id=gone, viewer=viewer(author))
            follows.unfollow(leaver.id, other.id)
            own = post(author)
        timeline_node().breaker.reset()
        assert wait_until(lambda: home(stayer) == [stays], seconds=60), "the deletion"
        assert wait_until(lambda: home(leaver) == [own, stays], seconds=60), "the graph: made anew"
        assert wait_until(lambda: home(author) == [own, stays], seconds=60), "one's own tweet"

    @on_one_store
    def test_a_token_that_ends_meanwhile_is_refused_by_who_does_not_ask_redis(
        self, redis_named: dict[str, Valkey], probes: Probes
    ) -> None:
        client = ApiClient(new_person())
        assert page(client) == []
        with known_down(redis_named, [TIMELINES], "hung"):
            tokens.revoke(tokens.authenticate(str(client.token)))
            assert client.get("/api/v1/feed/home").status_code == 401

    @on_one_store
    def test_what_redis_was_not_told_is_told_when_it_is_back(
        self, redis_named: dict[str, Valkey], probes: Probes
    ) -> None:
        client = ApiClient(new_person())
        assert page(client) == []
        with known_down(redis_named, [TIMELINES], "hung"):
            tokens.revoke(tokens.authenticate(str(client.token)))
        timeline_node().breaker.reset()
        assert client.get("/api/v1/feed/home").status_code == 200, "a vouch of a test lasts"
        assert look()
        assert client.get("/api/v1/feed/home").status_code == 401

    @on_one_store
    def test_asking_for_nothing_works_and_proves_nothing(self, redis_named: dict[str, Valkey], probes: Probes) -> None:
        with server_down(redis_named[TIMELINES], "dead"):
            for _ in range(5):
                with pytest.raises(Unavailable):
                    timeline_node().ping()
                assert timeline_node().round_trip() == []
            assert timeline_node().breaker.state is State.OPEN

    @on_one_store
    def test_a_slow_answer_among_others_opens_nothing(self, redis_named: dict[str, Valkey]) -> None:
        node = timeline_node()
        for _ in range(4):
            with patch.object(RedisNode, "_send", side_effect=TimeoutError), pytest.raises(Unavailable):
                node.ping()
            node.ping()
            assert node.breaker.state is State.CLOSED

    @on_one_store
    def test_a_pool_that_is_used_up_is_not_redis_being_silent(self, redis_named: dict[str, Valkey]) -> None:
        with patch.object(RedisNode, "_send", side_effect=MaxConnectionsError):
            for _ in range(10):
                with pytest.raises(Unavailable):
                    timeline_node().ping()
        assert timeline_node().breaker.state is State.CLOSED

    @on_one_store
    def test_an_error_that_redis_answers_opens_nothing(self, redis_named: dict[str, Valkey]) -> None:
        for _ in range(10):
            with pytest.raises(Unavailable):
                timeline_node().round_trip(("GET",))
        assert timeline_node().breaker.state is State.CLOSED


@on_one_store
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
