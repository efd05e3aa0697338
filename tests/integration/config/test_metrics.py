"""/metrics: what it counts, what it never tells, and that it answers whatever is down."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from config.observability import health, metrics
from config.observability.metrics import state
from fanout.orders.dispatch import Dispatcher
from fanout.timelines import builds
from feed.timelines import rebuild
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import Order
from storage.ports.places import SEARCH, SEARCH_GAP
from storage.stores import dead_letters, ids, outbox, places
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.integration.speaking import on_one_store
from tests.people import ApiClient, new_person
from tweets.writing.after_write import retract_order

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("product")
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _read_anew(product: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was read stays read, however slow the machine is, until the test says otherwise."""
    monkeypatch.setattr(metrics, "STATE_SECONDS", 3600.0)
    state.forget()
    yield
    state.forget()


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape() -> Samples:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert answer["Cache-Control"] == "no-store"
    return samples(answer.content.decode())


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    return value(after, name, **labels) - value(before, name, **labels)


@on_one_store
def test_a_request_is_counted_under_its_routes_pattern() -> None:
    ada, bob = new_person(), new_person()
    client, before = ApiClient(bob), scrape()
    client.put(f"/api/v1/users/{ada.username}/follow")
    client.get("/api/v1/users/nobody_here")
    after = scrape()
    follow = {"method": "PUT", "route": "/api/v1/users/<str:username>/follow"}
    assert grown(before, after, "http_requests_total", **follow, status="200") == 1
    assert grown(before, after, "http_request_seconds_count", **follow) == 1
    assert 0 < grown(before, after, "http_request_seconds_sum", **follow) < 60
    missing = {"method": "GET", "route": "/api/v1/users/<str:username>", "status": "404"}
    assert grown(before, after, "http_requests_total", **missing) == 1


@on_one_store
def test_neither_ids_nor_names_nor_paths_become_labels() -> None:
    person = new_person("label_person")
    client = ApiClient(person)
    tweet = client.post("/api/v1/tweets", {"text": "Hello"}, "application/json").json()["data"]
    series = []
    for turn in range(3):
        client.get(f"/api/v1/tweets/{tweet['id']}?limit=1{turn}")
        client.get(f"/api/v1/tweets/{int(tweet['id']) + turn}")
        client.get(f"/api/v1/users/{person.username if turn else 'stranger'}/tweets")
        client.get(f"/nowhere/{turn}/stranger")
        client.generic(f"FETCH{turn}", "/nowhere")
        series.append({key for key in scrape() if key[0].startswith("http_")})
    assert series[1] == series[2]
    labels = {value for _, pairs in series[2] for _, value in pairs}
    assert {"unknown", "other"} <= labels
    assert not [each for each in labels for word in ("label_person", "stranger", tweet["id"], "FETCH") if word in each]


def test_the_age_of_the_oldest_open_order() -> None:
    assert scrape()["outbox_oldest_open_seconds", ()] == 0
    orders = [retract_order(make_id(now_us() - age * 1_000_000, 1), ids.next(), ids.next()) for age in (40, 90)]
    for order in orders:
        outbox().add(order)
    assert scrape()["outbox_oldest_open_seconds", ()] == 0, "as it was read before"
    state.forget()
    assert 90 <= scrape()["outbox_oldest_open_seconds", ()] < 120
    for order in orders:
        outbox().mark_done(order.id)
    state.forget()
    assert scrape()["outbox_oldest_open_seconds", ()] == 0


def test_the_backlog_and_what_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scrape()
    assert (found["outbox_open_orders", ()], found["outbox_dead_letters", ()]) == (0, 0)
    orders = [retract_order(ids.next(), ids.next(), ids.next()) for _ in range(5)]
    for order in orders:
        outbox().add(order)
    for order in orders[:2]:
        dead_letters().bury(DeadLetter(order, "ValueError", 5, now_us()))
    state.forget()
    found = scrape()
    assert (found["outbox_open_orders", ()], found["outbox_dead_letters", ()]) == (3, 2)
    monkeypatch.setattr(metrics, "COUNTED", 1)
    state.forget()
    found = scrape()
    assert (found["outbox_open_orders", ()], found["outbox_dead_letters", ()]) == (1, 1), "counted no further"


@on_one_store
def test_how_far_the_search_is_behind(settings: Settings) -> None:
    found = scrape()
    assert (found["search_lag_seconds", ()], found["search_rebuild_wanted", ()]) == (0, 0)
    for reader, age in ((SEARCH, 600), (SEARCH_GAP, 60)):
        places().move(reader, make_id(now_us() - age * 1_000_000, 0))
    state.forget()
    found = scrape()
    assert 500 < found["search_lag_seconds", ()] < 600
    assert found["search_rebuild_wanted", ()] == 1
    settings.SEARCH_URL = "off"
    state.forget()
    assert not {"search_lag_seconds", "search_rebuild_wanted"} & {name for name, _ in scrape()}


@on_one_store
def test_scrapes_in_a_row_ask_the_backends_once() -> None:
    scrape()
    with counted_round_trips() as trips, counted_store_calls() as calls:
        for _ in range(5):
            scrape()
    assert (trips, calls) == ([], [])


@on_one_store
def test_a_scrape_during_another_does_not_wait() -> None:
    scrape()
    state.forget()
    during: list[Samples] = []
    with patch.dict(health.CHECKS, {"store": lambda: during.append(scrape())}):
        found = scrape()
    assert value(found, "backend_up", backend="store") == 1, "it was answered in time"
    assert value(during[0], "backend_up", backend="store") == 1


def test_backends_are_up() -> None:
    found = scrape()
    assert {name: value(found, "backend_up", backend=name) for name in health.CHECKS} == dict.fromkeys(
        health.CHECKS, 1.0
    )


@on_one_store
def test_a_redis_that_is_down_is_told() -> None:
    with timeline_redis_down():
        found = scrape()
    assert value(found, "backend_up", backend="redis_timelines") == 0
    assert value(found, "backend_up", backend="redis_broker") == 1
    assert ("outbox_oldest_open_seconds", ()) in found


def _down(*_: Any) -> Any:
    raise Unavailable("store")


@on_one_store
def test_a_store_that_is_down_takes_the_age_away_and_nothing_else() -> None:
    with patch.dict(health.CHECKS, {"store": _down}):
        found = scrape()
    assert found["backend_up", (("backend", "store"),)] == 0
    assert found["backend_up", (("backend", "database"),)] == 1
    assert ("outbox_oldest_open_seconds", ()) not in found
    state.forget()
    with patch.object(type(outbox()), "oldest_open", _down):
        found = scrape()
    assert found["backend_up", (("backend", "store"),)] == 1
    assert ("outbox_oldest_open_seconds", ()) not in found


@on_one_store
def test_rebuilds_by_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    person = new_person()
    before = scrape()
    assert rebuild.rebuild(person.id)
    assert not rebuild.rebuild(person.id)
    monkeypatch.setattr(builds, "open_build", _down)
    with pytest.raises(Unavailable):
        rebuild.rebuild(person.id)
    after = scrape()
    outcomes = ("finished", "busy", "failed", "overtaken")
    assert [grown(before, after, "timeline_rebuilds_total", outcome=each) for each in outcomes] == [1, 1, 1, 0]


@on_one_store
def test_orders_that_the_broker_has_not_got() -> None:
    seen: list[tuple[int, float]] = []
    own = Dispatcher(lambda _: seen.append((own.waiting, scrape()["dispatch_queue_length", ()])))
    assert own.waiting == 0
    own.send(Order(id=ids.next(), kind="none", args=()))
    own.drain(60)
    assert (seen, own.waiting) == ([(1, 1.0)], 0)
    assert scrape()["dispatch_queue_length", ()] == 0


@on_one_store
def test_with_a_token_it_is_wanted(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-token-of-metrics"
    client = Client()
    for given in (
        {},
        *({"Authorization": each} for each in ("", "a-token-of-metrics", "Bearer", "Bearer x", "Bearer é")),
    ):
        answer = client.get("/metrics", headers=given)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer"), given
        assert answer["Content-Type"] == "application/problem+json"
        assert b"backend_up" not in answer.content
    person = ApiClient(new_person()).get("/metrics")
    assert person.status_code == 401, "a person's token is none"
    assert client.get("/metrics", headers={"Authorization": "Bearer a-token-of-metrics"}).status_code == 200


SERVED_BY_A_PROCESS = """
import sys, django
django.setup()
from django.test import Client
client = Client()
client.get("/healthz")
sys.stdout.write(client.get("/metrics").content.decode())
"""


@on_one_store
def test_processes_that_share_a_directory_add_up(tmp_path: Path) -> None:
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ALLOWED_HOSTS": "testserver",
        "LOG_FORMAT": "json",
        "STORE": "embedded",
    }
    told = ""
    for _ in range(2):
        told = subprocess.run(
            [sys.executable, "-c", SERVED_BY_A_PROCESS], env=environment, cwd=ROOT, check=True, capture_output=True
        ).stdout.decode()
    found = samples(told[told.index("# HELP") :])
    assert value(found, "http_requests_total", method="GET", route="/healthz", status="200") == 2
    assert value(found, "backend_up", backend="redis_broker") == 1
