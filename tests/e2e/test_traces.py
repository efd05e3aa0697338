"""Traces of real processes, as a collector gets them: one tree a tweet, whoever had a part in it."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connections

from deploy.supervisor.processes import Child, start, wait_until
from fanout.orders.queues import FANOUT
from storage.redis.node import broker_node
from storage.spans import trace_of
from tests.collector import Collector, Seen, collecting, root_of_tree
from tests.e2e.conftest import START_SECONDS, Server
from tests.e2e.live_sockets import follower_of, opener
from tests.e2e.runs import PATIENT, ROOT, Run, own_environment

pytestmark = pytest.mark.e2e

WAIT_SECONDS = 120.0
CANARY = "canary7Q"
CLIENTS_TRACE = "0af7651916cd43dd8448eb211c80319c"
WITHOUT_DISPATCH = """
import django
django.setup()
import json
from django.test import Client
from fanout.orders.dispatch import dispatcher

dispatcher._pass_on = lambda order: None
client = Client()
def post(path, body, **headers):
    answer = client.post("/api/v1" + path, json.dumps(body), content_type="application/json", headers=headers)
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]

person = {"username": "NAME", "email": "NAME@example.org", "password": "Engine-No-1843"}
token = post("/auth/register", person)["token"]
print(post("/tweets", {"text": "never told"}, authorization="Bearer " + token)["id"])
"""
"""A process that posts, and is gone before the broker hears of it."""
SWEEP = "from fanout.orders.sweeper import sweep; print(sweep())"

Begin = Callable[..., Child]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as begun:
        yield begun


def variables_of(collector: Collector) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=of-the-collector",
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "LOG_FORMAT": "json",
        **PATIENT,
    }


@pytest.fixture(scope="module")
def product(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Run]]:
    variables = {"STORE": "embedded", "RATE_LIMITS": "off"} | variables_of(collector)
    run = Run([sys.executable, "-m", "deploy.run"], tmp_path_factory.mktemp("traced"), **variables)
    server = Server(run.url, run.data_dir, variables, lambda: run.output)
    try:
        run.until("Feed is ready", START_SECONDS)
        yield server, run
    finally:
        for client in server.clients:
            client.close()
        run.popen.terminate()
        run.ended()


def names(spans: list[Seen]) -> set[str]:
    return {span.name for span in spans}


def trace_with(collector: Collector, tweet_id: str, *wanted: str) -> list[Seen]:
    """The tweet's trace, once spans of these names are in it."""
    trace_id = trace_of(int(tweet_id))
    found = wait_until(lambda: {*wanted} <= names(collector.trace(trace_id)), seconds=WAIT_SECONDS)
    assert found, names(collector.trace(trace_id))
    return collector.trace(trace_id)


def test_a_tweet_is_one_tree_from_the_request_to_the_socket_and_tells_nothing_of_people(
    product: tuple[Server, Run], collector: Collector
) -> None:
    server, run = product
    ada = server.sign_up()
    bob = follower_of(server, ada)
    with ExitStack() as connections:
        live = opener(server, connections)(bob.token).ready().subscribe()
        ada.client.headers["traceparent"] = f"00-{CLIENTS_TRACE}-b7ad6b7169203331-01"
        tweet_id = ada.post(f"{CANARY} in a text")
        assert live.ids(1) == [tweet_id]
    wanted = ("POST /api/v1/tweets", "redis", "sql", "order.send", "order.work", "order.handle", "live.frames")
    tree = trace_with(collector, tweet_id, *wanted)
    root = root_of_tree(tree)
    assert (root.name, root.links) == ("POST /api/v1/tweets", [CLIENTS_TRACE])
    assert not collector.trace(CLIENTS_TRACE), "who is outside names no trace of ours"
    of = {span.name: span for span in tree}
    assert len({of[name].pid for name in ("POST /api/v1/tweets", "order.work")}) == 2
    assert of["live.frames"].attributes["feed.sockets"] == 1
    assert of["order.work"].attributes == {
        "feed.order": tweet_id,
        "feed.order.kind": "deliver",
        "resent": False,
        "redelivered": False,
    }

    lines = [json.loads(line[line.index("{") :]) for line in run.output.splitlines() if '"trace_id"' in line]
    [posted] = [line for line in lines if line.get("path") == "/api/v1/tweets"]
    assert (posted["trace_id"], posted["span_id"]) == (root.trace_id, root.span_id)
    assert root.attributes["feed.request_id"] == posted["request_id"]

    ada.client.get("/users", params={"query": f"{CANARY}-asked", "cursor": f"{CANARY}-cursor"})
    ada.client.get(f"/users/{CANARY}", headers={"Authorization": f"Bearer {CANARY}-token"})
    document = "query Q($name: String!) { CANARY: user(username: $name) { username } }".replace("CANARY", CANARY)
    asked = {"query": document, "variables": {"name": ada.username}}
    answer = ada.client.post(f"{server.url}/graphql", json=asked)
    assert answer.json()["data"][CANARY] == {"username": ada.username}
    others = {"graphql Query.user", "live.sign_in", "live.subscribe"}
    assert wait_until(lambda: others <= names(collector.spans), seconds=WAIT_SECONDS)
    told = b"".join(collector.bodies)
    for secret in (CANARY, ada.username, ada.token, "Engine-No-1843", "of-the-collector"):
        assert secret.encode() not in told
    assert collector.headers[0]["x-key"] == "of-the-collector"


@pytest.fixture
def begin(store: str, collector: Collector, tmp_path: Path) -> Iterator[Begin]:
    """Starts processes on the test's own store; kills those that are left."""
    addresses = ["TIMELINE_REDIS_URL", "BROKER_REDIS_URL", "CASSANDRA_KEYSPACE"]
    variables = {name: getattr(django_settings, name) for name in addresses}
    variables |= variables_of(collector) | {
        "CASSANDRA_HOSTS": ",".join(django_settings.CASSANDRA_HOSTS),
        "CASSANDRA_PORT": str(django_settings.CASSANDRA_PORT),
        "STORE": store,
        "RATE_LIMITS": "off",
        "SWEEP_AFTER_SECONDS": "0",
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite://{connections['default'].settings_dict['NAME']}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    if store == "embedded":
        (tmp_path / "store.sqlite3").symlink_to(str(connections["store"].settings_dict["NAME"]))
    children: list[Child] = []

    def one(name: str, *arguments: str) -> Child:
        env = own_environment() | variables
        argv = [sys.executable, *arguments]
        children.append(start(name, argv, env=env, cwd=ROOT, log=tmp_path / f"{name}.log"))
        return children[-1]

    yield one
    for child in children:
        child.kill()


def output(child: Child, log: Path) -> str:
    assert wait_until(child.ended, seconds=WAIT_SECONDS)
    assert child.returncode == 0, log.read_text()
    return log.read_text().splitlines()[-1]


@pytest.mark.usefixtures("empty_outbox", "redis_servers")
def test_what_a_sweeper_sends_again_and_a_forked_worker_carries_out_stands_in_the_same_tree(
    begin: Begin, collector: Collector, tmp_path: Path
) -> None:
    script = WITHOUT_DISPATCH.replace("NAME", f"untold_{uuid.uuid4().hex[:8]}")
    poster = begin("poster", "-c", script)
    tweet_id = output(poster, tmp_path / "poster.log")
    sweeper = begin("sweeper", "manage.py", "shell", "--no-imports", "-c", SWEEP)
    assert int(output(sweeper, tmp_path / "sweeper.log")) > 0
    assert broker_node().round_trip(("LLEN", FANOUT)) != [0]
    pool = ["--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    worker = begin("worker", "-m", "celery", "--app", "config", "--quiet", "worker", *pool, "--queues", FANOUT)
    wanted = ("POST /api/v1/tweets", "order.send", "order.work", "order.handle")
    tree = trace_with(collector, tweet_id, *wanted)
    assert root_of_tree(tree).name == "POST /api/v1/tweets"
    of = {span.name: span for span in tree}
    assert (of["order.send"].attributes["resent"], of["order.work"].attributes["resent"]) == (True, True)
    assert of["POST /api/v1/tweets"].pid == poster.pid
    assert of["order.send"].pid == sweeper.pid
    assert of["order.work"].pid not in (poster.pid, sweeper.pid, worker.pid), "a child of the worker's did it"
