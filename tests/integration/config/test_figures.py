"""What is counted beside requests: by labels that no client can add to, and where processes without a page tell it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from config.observability.metrics import state
from deploy.supervisor.ports import LOOPBACK, free_port
from fanout.orders import attempts, brokers, figures
from fanout.tasks import work_order
from feed.desk import attention
from feed.operations import figures as samples_of
from storage import exposition
from storage.errors import Forbidden, Unavailable
from storage.ports.outbox import Order
from storage.redis.node import RedisNode
from storage.stores import ids, outbox
from tests.backends import timeline_redis_down
from tests.integration.config.test_metrics import Samples, grown, samples, scrape, value
from tests.integration.querying import CREATE
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.doors import graphql_mutations as tweet_fields

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def _read_anew(product: str) -> Iterator[None]:
    state.forget()
    yield
    state.forget()


def graphql(client: ApiClient, query: str, **variables: Any) -> None:
    client.post("/graphql", json.dumps({"query": query, "variables": variables}), "application/json")


class TestGraphQL:
    @on_one_store
    def test_an_operation_is_counted_by_its_field_of_the_root_and_how_it_ended(self) -> None:
        client, before = ApiClient(new_person()), scrape()
        graphql(client, "query Mine {viewer: publicTimeline(first: 1) {edges {cursor}}}")
        graphql(client, '{publicTimeline(first: 1) {edges {cursor}} user(username: "x") {id}}')
        graphql(client, "{__typename}")
        graphql(client, '{tweet(id: "no id") {id}}')
        graphql(client, "{nothing_of_ours}")
        after = scrape()
        counted = {
            (operation, outcome): grown(before, after, "graphql_operations_total", operation=operation, outcome=outcome)
            for operation, outcome in (
                ("publicTimeline", "data"),
                ("several", "data"),
                ("introspection", "data"),
                ("tweet", "errors"),
                ("invalid", "refused"),
            )
        }
        assert set(counted.values()) == {1.0}, counted
        assert grown(before, after, "graphql_operation_seconds_count", operation="publicTimeline") == 1

    @on_one_store
    @pytest.mark.parametrize("key", [None, "a-key-of-one-write"])
    @pytest.mark.parametrize(
        ("cause", "outcome"), [(Unavailable("store"), "failed"), (KeyError(), "failed"), (Forbidden("No."), "errors")]
    )
    def test_what_rest_would_answer_with_a_5xx_has_failed(
        self, key: str | None, cause: Exception, outcome: str
    ) -> None:
        client, headers = ApiClient(new_person()), {} if key is None else {"Idempotency-Key": key}
        body = {"query": CREATE, "variables": {"input": {"text": "hello"}}}
        before = scrape()
        with patch.object(tweet_fields, "create_tweet", side_effect=cause):
            answer = client.post("/graphql", json.dumps(body), "application/json", headers=headers)
        assert answer.status_code == 200
        after = scrape()
        counted = {
            each: grown(before, after, "graphql_operations_total", operation="createTweet", outcome=each)
            for each in ("data", "errors", "failed")
        }
        assert counted == {"data": 0, "errors": 0, "failed": 0} | {outcome: 1}

    @on_one_store
    def test_failures_are_there_before_the_first_one_as_a_rate_needs(self) -> None:
        client = ApiClient(new_person())
        graphql(client, '{user(username: "x") {id}}')
        found = scrape()
        assert ("graphql_operations_total", (("operation", "user"), ("outcome", "failed"))) in found
        for status in ("500", "503"):
            labels = (("method", "POST"), ("route", "/graphql"), ("status", status))
            assert ("http_requests_total", labels) in found

    @on_one_store
    def test_names_of_clients_and_languages_become_no_labels(self) -> None:
        client = ApiClient(new_person())
        series: list[set[Any]] = []
        for turn in range(3):
            strange = f"canary{turn}"
            graphql(client, f"query {strange} {{{strange}: publicTimeline(first: 1) {{edges {{cursor}}}}}}")
            graphql(client, f"{{{strange}}}")
            graphql(client, f"subscription {strange} {{{strange}}}")
            client.get(f"/api/v1/{strange}")
            client.get(f"/admin/{strange}/")
            Client().get("/api/v1/feed/public", headers={"Accept-Language": strange, "User-Agent": strange})
            Client().generic(strange.upper(), "/graphql")
            series.append(set(scrape()))
        assert series[1] == series[2]
        assert "canary" not in str(series).lower()


class TestFanOut:
    def test_an_entry_is_counted_once_it_is_delivered_and_its_lag_by_the_author_s_size(self) -> None:
        author, reader = new_person(), new_person()
        ApiClient(reader).put(f"/api/v1/users/{author.username}/follow")
        ApiClient(reader).get("/api/v1/feed/home")
        before = scrape()
        post(author, "hello")
        work_off_everything()
        after = scrape()
        assert grown(before, after, "fanout_deliveries_total") >= 1
        assert grown(before, after, "fanout_lag_seconds_count", size="small") == 1
        assert grown(before, after, "fanout_lag_seconds_sum", size="small") > 0

    @on_one_store
    def test_an_order_by_its_kind_and_how_it_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order = Order(ids.next(), "of-no-kind", (1,))
        outbox().add(order)

        def refuse(_: Order) -> None:
            raise ValueError

        assert attempts.attempt(order.id, lambda _: None, is_resent=False) == figures.DONE
        assert attempts.attempt(order.id, refuse, is_resent=False) == figures.FAILED
        outbox().mark_done(order.id)
        assert attempts.attempt(order.id, refuse, is_resent=False) == figures.CLOSED

    @on_one_store
    def test_a_kind_that_nobody_knows_is_no_label(self) -> None:
        before = scrape()
        work_order(ids.next(), "canary")
        after = scrape()
        assert grown(before, after, "fanout_orders_total", kind="unknown", outcome="closed") == 1
        assert "canary" not in str(after)


class TestReads:
    def test_a_page_of_home_by_where_it_came_from(self) -> None:
        client = ApiClient(new_person())

        def read() -> tuple[float, ...]:
            before = scrape()
            client.get("/api/v1/feed/home")
            after = scrape()
            paths = ("warm", "merged", "rebuilt", "pulled")
            return tuple(grown(before, after, "timeline_reads_total", path=each) for each in paths)

        assert read() == (0, 0, 1, 0)
        assert read() == (1, 0, 0, 0)
        with timeline_redis_down():
            assert read() == (0, 0, 0, 1)

    @on_one_store
    def test_what_was_found_in_caches(self) -> None:
        person = new_person()
        client = ApiClient(person)
        tweet = client.post("/api/v1/tweets", {"text": "Hello"}, "application/json").json()["data"]["id"]
        client.get(f"/api/v1/tweets/{tweet}")
        before = scrape()
        client.get(f"/api/v1/tweets/{tweet}")
        after = scrape()
        for cache in ("tweets", "tokens"):
            assert grown(before, after, "cache_requests_total", cache=cache, outcome="hit") == 1, cache
            assert grown(before, after, "cache_requests_total", cache=cache, outcome="miss") == 0, cache


@pytest.fixture
def groups(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisNode]:
    """A second group's broker, at which nobody listens."""
    settings.FANOUT_BROKER_URLS = [settings.BROKER_REDIS_URL, f"redis://{LOOPBACK}:{free_port()}/0"]
    brokers.brokers.cache_clear()
    yield brokers.brokers()[1]
    brokers.brokers()[1].breaker.reset()
    brokers.brokers.cache_clear()


@on_one_store
def test_the_breaker_of_a_group_s_broker_is_told_everywhere(groups: RedisNode) -> None:
    for _ in range(10):
        with pytest.raises(Unavailable):
            groups.ping()
    assert groups.name == "redis_broker_2"
    assert Client().get("/readyz").json()["breakers"]["redis_broker_2"] in ("open", "half_open")
    assert value(scrape(), "breaker_open", backend="redis_broker_2") == 1
    assert "redis_broker_2" in samples_of.sampled(0).open_breakers
    assert "redis_broker_2" in attention._breakers().detail
    groups.breaker.reset()
    assert value(scrape(), "breaker_open", backend="redis_broker_2") == 0


def told(port: int, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    connection = HTTPConnection(LOOPBACK, port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


class TestExposition:
    @on_one_store
    def test_a_process_without_a_page_answers_on_its_port_who_has_the_token(self, settings: Settings) -> None:
        settings.METRICS_PORT = free_port()
        settings.METRICS_TOKEN = "a-token-of-metrics"
        server = exposition.serve_figures()
        assert server is not None
        try:
            assert told(settings.METRICS_PORT)[0] == 401
            assert told(settings.METRICS_PORT, Authorization="Bearer é")[0] == 401
            assert told(settings.METRICS_PORT, "/readyz", Authorization="Bearer a-token-of-metrics")[0] == 404
            status, text = told(settings.METRICS_PORT, Authorization="Bearer a-token-of-metrics")
            assert (status, "task_runs" in text, "backend_up" in text) == (200, True, False)
            assert exposition.serve_figures() is None, "the port is taken, which ends nothing"
        finally:
            server.shutdown()
            server.server_close()

    @on_one_store
    def test_without_a_port_nothing_is_served_and_without_a_token_only_here(self, settings: Settings) -> None:
        settings.METRICS_PORT = 0
        assert exposition.serve_figures() is None
        settings.METRICS_PORT, settings.METRICS_TOKEN = free_port(), ""
        server = exposition.serve_figures()
        assert server is not None
        server.shutdown()
        server.server_close()
        assert server.server_address[0] == LOOPBACK


PROCESS = """
import os, signal, sys
from prometheus_client import Counter, Gauge
Counter("parts", "").inc(3)
Gauge("parts_now", "", multiprocess_mode="livesum").set(5)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
from django.conf import settings
settings.configure(PROMETHEUS_MULTIPROC_DIR=os.environ["PROMETHEUS_MULTIPROC_DIR"], METRICS_TOKEN="")
from prometheus_client import generate_latest
from storage.exposition import registry
sys.stdout.write(generate_latest(registry()).decode())
"""


def test_counters_go_on_when_a_process_is_killed_and_gauges_are_of_the_living(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    found: Samples = {}
    for fate in ("killed", "lives"):
        done = subprocess.run(
            [sys.executable, "-c", PROCESS, fate],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = samples(done.stdout)
    assert (value(found, "parts_total"), value(found, "parts_now")) == (6, 5)
