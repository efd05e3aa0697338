"""What the running product tells of itself: one page of all processes, and lines in which nothing is that is nobody's
business."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.conftest import OPERATOR, PASSWORD, Server
from tests.e2e.live_sockets import follower_of, opener
from tests.e2e.runs import eventually
from tests.unit.deploy.test_prometheus import expressions

pytestmark = pytest.mark.e2e

SECONDS = 120.0
NAME = re.compile(r"\b([a-z]\w*(?::\w+)*)(?=\{|\[|\)| [=><]| and|$)")
MADE_BY_PROMETHEUS = {"up"}
PREFIXED = re.compile(r"^[^|{]*\| (?=\{)")
SECRET = "canary"


def scraped(server: Server) -> dict[str, float]:
    """Each series, by its name with its labels as Prometheus writes them."""
    text = httpx.get(f"{server.url}/metrics", timeout=30).text
    return {
        f"{sample.name}{{{','.join(f'{key}={value}' for key, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(found: dict[str, float], start: str) -> float:
    return sum(value for series, value in found.items() if series.startswith(start))


def named_in(expression: str) -> set[str]:
    """The metrics that an expression of PromQL names: what stands before labels, a range, or an operator."""
    without_labels = re.sub(r"\{[^}]*\}", "{", re.sub(r"\b(by|without) \([^)]*\)", "", expression))
    return {each for each in NAME.findall(without_labels) if "_" in each or each == "up"} - MADE_BY_PROMETHEUS


@pytest.fixture
def busy(server: Server) -> Iterator[Server]:
    """Somebody posts, reads, listens and asks GraphQL."""
    author = server.sign_up()
    reader = follower_of(server, author)
    with ExitStack() as connections:
        live = opener(server, connections)(reader.token).ready().subscribe()
        reader.home()
        tweet = author.post("seen by everybody")
        assert live.ids(1) == [tweet]
        httpx.post(f"{server.url}/graphql", json={"query": "{publicTimeline(first: 1) {edges {cursor}}}"}, timeout=30)
        yield server


def test_one_page_tells_of_web_workers_and_beat_s_tasks(busy: Server) -> None:
    def told() -> bool:
        found = scraped(busy)
        wanted = (
            "fanout_deliveries_total",
            "fanout_lag_seconds_count{size=small}",
            "fanout_orders_total{kind=deliver,outcome=done}",
            "task_runs_total{outcome=success,task=fanout.sweep}",
            "task_seconds_count{task=fanout.work_order}",
            "graphql_operations_total{operation=publicTimeline,outcome=data}",
            "live_frames_total",
            "live_sockets",
            "live_subscriptions_total{outcome=begun,stream=home}",
            "timeline_reads_total",
            "cache_requests_total{cache=tokens,outcome=hit}",
            "redis_connections{backend=redis_timelines}",
        )
        return all(total(found, each) > 0 for each in wanted)

    assert eventually(told, SECONDS), scraped(busy)
    found = scraped(busy)
    assert {
        f"queue_length{{queue={each}}}" for each in ("graph", "fanout", "notices", "bulk", "maintenance")
    } <= found.keys()
    backends = ("redis_timelines", "redis_broker", "store", "database", "search")
    assert [found[f"breaker_open{{backend={each}}}"] for each in backends] == [0, 0, 0, 0, 0]


def test_every_metric_that_rules_and_dashboards_name_is_told(busy: Server) -> None:
    wanted = {name for each in expressions() for name in named_in(each) if not name.startswith("slo:")}
    assert len(wanted) > 30

    def missing() -> set[str]:
        return wanted - {series.partition("{")[0] for series in scraped(busy)}

    assert eventually(lambda: not missing(), SECONDS), missing()


def _through_rest(server: Server) -> None:
    person = server.sign_up()
    body = {"username": f"{SECRET}-name!", "email": f"{SECRET}@example.org", "password": f"{SECRET}-password"}
    person.client.post("/auth/register", json=body)
    person.client.post("/auth/token", json={"username": f"{SECRET}@example.org", "password": f"{SECRET}-password"})
    assert person.client.post("/tweets", json={"text": f"{SECRET} of a tweet"}).status_code == 201
    person.client.post("/tweets", json={"text": f"{SECRET} " * 100})
    person.client.post("/tweets", content=f'{{"text": "{SECRET}')
    person.client.get("/search/tweets", params={"q": f'{SECRET} from:{SECRET} "{SECRET}'})
    person.client.patch("/me", json={"bio": f"{SECRET} of a profile", "display_name": SECRET})
    person.client.patch("/me", json={"current_password": f"{SECRET}-old", "password": f"{SECRET}-new"})
    tweet = person.post(f"another {SECRET}")
    reported = server.sign_up().client.post(
        "/reports", json={"tweet_id": tweet, "reason": "spam", "comment": f"{SECRET} of a report"}
    )
    assert reported.status_code == 201
    for method in ("PUT", "DELETE", "POST"):
        person.client.request(method, f"/me/muted-words/my {SECRET}/and%20another")
        httpx.request(method, f"{server.url}/api/v1/me/muted-words/{SECRET}", timeout=30)
    person.client.get("/feed/home", params={"cursor": SECRET, "q": SECRET})
    person.client.get("/feed/home", headers={"Authorization": f"Bearer {SECRET}", "X-Request-ID": "a request"})
    person.client.get("/feed/home", headers={"Authorization": f"Bearer 1.{SECRET}", "Cookie": f"sessionid={SECRET}"})
    httpx.get(f"{server.url}/healthz", params={"token": SECRET}, timeout=30)
    httpx.get(f"{server.url}/nowhere", params={"token": SECRET}, timeout=30)


def _through_graphql(server: Server) -> None:
    person = server.sign_up()
    url, headers = f"{server.url}/graphql", {"Authorization": f"Bearer {person.token}"}
    for query, variables in (
        (f'mutation {{createTweet(input: {{text: "{SECRET} in a document"}}) {{tweet {{id}}}}}}', {}),
        (
            "mutation($text: String!) {createTweet(input: {text: $text}) {tweet {id}}}",
            {"text": f"{SECRET} in a variable"},
        ),
        (f"query {SECRET} {{{SECRET} {{nothing}}}}", {SECRET: SECRET}),
        (f'{{user(username: "{SECRET} is not ended', {}),
    ):
        httpx.post(url, json={"query": query, "variables": variables}, headers=headers, timeout=30)
    httpx.get(url, params={"query": f'{{user(username: "{SECRET}") {{id}}}}'}, timeout=30)


def _through_sockets(server: Server) -> None:
    url = server.url.replace("http", "ws", 1)
    person = server.sign_up()
    with connect(f"{url}/ws/feed?token={SECRET}", subprotocols=[Subprotocol("feed.v1")]) as signed_in:
        signed_in.send(json.dumps({"type": "auth", "token": person.token}))
        signed_in.send(json.dumps({"type": "subscribe", "stream": f"tweet:{SECRET}", "after": SECRET}))
        signed_in.send(f'{{"type": "{SECRET}"')
        with suppress(ConnectionClosed):
            while True:
                signed_in.recv(timeout=60)
    with suppress(ConnectionClosed), connect(f"{url}/ws/feed", subprotocols=[Subprotocol("feed.v1")]) as other:
        other.send(json.dumps({"type": "auth", "token": f"1.{SECRET}"}))
        other.recv(timeout=60)
    protocol = [Subprotocol("graphql-transport-ws")]
    with suppress(ConnectionClosed, InvalidStatus), connect(f"{url}/graphql", subprotocols=protocol) as asking:
        asking.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {SECRET}"}}))
        asking.recv(timeout=60)


def _through_the_admin(server: Server) -> None:
    server.make_operator()
    with httpx.Client(base_url=server.url, follow_redirects=True, timeout=30) as browser:
        for name, password in ((f"{SECRET}-somebody", SECRET), (OPERATOR, f"{SECRET}-guess"), (OPERATOR, PASSWORD)):
            browser.get("/admin/login/")
            fields = {"username": name, "password": password, "next": "/admin/"}
            browser.post("/admin/login/", data={**fields, "csrfmiddlewaretoken": browser.cookies["csrftoken"]})
        assert "Log out" in browser.get("/admin/").text
        browser.get("/admin/accounts/user/", params={"q": SECRET})
        browser.post("/admin/desk/tweets/", data={"text": SECRET})


def test_no_line_has_a_secret_a_text_or_what_was_searched_for_and_each_is_an_object(server: Server) -> None:
    for door in (_through_rest, _through_graphql, _through_sockets, _through_the_admin):
        door(server)
    last = server.sign_up()
    last.client.get("/me", headers={"X-Request-ID": "the-last-one"})
    assert eventually(lambda: "the-last-one" in server.output(), SECONDS)
    output = server.output()
    assert [line for line in output.splitlines() if SECRET in line.lower()] == []
    for secret in (last.token, PASSWORD, "seen by everybody"):
        assert secret not in output
    lines = [json.loads(PREFIXED.sub("", line)) for line in output.splitlines() if PREFIXED.match(line)]
    assert {"event", "level", "logger", "timestamp", "trace_id"} <= set.intersection(*(set(line) for line in lines))
    [request] = [line for line in lines if line.get("request_id") == "the-last-one"]
    assert (request["user_id"], request["status"]) == (int(last.id), 200)
    after_start = output[output.index("Feed is ready") :]
    others = [line for line in after_start.splitlines()[1:] if line.strip() and not PREFIXED.match(line)]
    assert others == [], "every process writes objects"
