"""What anybody may ask of the process: many who ask `/readyz` cost as one, and `/metrics` is not for guessing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.sessions import bad_tokens
from config.observability import health
from config.observability.health import SharedLook
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

UP = dict.fromkeys(health.CHECKS, True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each time that the backends are asked; one look for a minute."""
    noted: list[str] = []

    def ask_all() -> dict[str, bool]:
        noted.append("asked")
        return UP

    def is_late() -> bool:
        noted.append("late?")
        return False

    monkeypatch.setattr(health, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(health, "look", SharedLook())
    monkeypatch.setattr(health, "ask_all", ask_all)
    monkeypatch.setattr(health, "_fan_out_is_late", is_late)
    return noted


def test_many_who_ask_cost_as_one(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert {Client().get("/readyz").status_code for _ in range(40)} == {200}
    assert asked == ["asked", "late?"]
    monkeypatch.setattr(health, "LOOK_SECONDS", 0.0)
    health.look._ends = 0.0
    assert [Client().get("/readyz").json()["status"] for _ in range(2)] == ["ok", "ok"]
    assert asked == ["asked", "late?"] * 3


def test_who_asks_while_another_looks_hears_what_was_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that hangs holds one thread, however many ask."""
    begun, go = threading.Event(), threading.Event()
    looks = SharedLook()
    monkeypatch.setattr(health, "_fan_out_is_late", lambda: False)
    monkeypatch.setattr(health, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(health, "ask_all", lambda: UP)
    first = looks.now()

    def hang() -> dict[str, bool]:
        begun.set()
        assert go.wait(60)
        return UP | {"store": False}

    monkeypatch.setattr(health, "ask_all", hang)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(looks.now)
        assert begun.wait(60)
        assert [looks.now() for _ in range(5)] == [first] * 5
        go.set()
        assert hanging.result(60).up["store"] is False


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(bad_tokens, "BAD_TOKENS", Policy("bad-token", 3, 60))
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "rate:*"))[0]))
    bad_tokens.forget()
    yield
    bad_tokens.forget()
    rate_limits._memory.storage.reset()


@pytest.mark.usefixtures("limits_on")
def test_guesses_at_the_token_of_metrics_are_counted_with_other_bad_ones(settings: Settings) -> None:
    settings.METRICS_TOKEN = "a-token-of-metrics"
    client = Client(REMOTE_ADDR="203.0.113.9")
    answers = [client.get("/metrics", headers={"Authorization": f"Bearer {number}"}) for number in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
    assert answers[0]["RateLimit"].startswith('"bad-token";r=2')
    assert answers[-1].has_header("Retry-After")
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer x"}).status_code == 429
    right = {"Authorization": "Bearer a-token-of-metrics"}
    assert {client.get("/metrics", headers=right).status_code for _ in range(5)} == {200}, "a scraper behind it goes on"


@pytest.mark.usefixtures("limits_on")
def test_open_metrics_count_by_address(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = ""
    monkeypatch.setattr("config.observability.metrics.BY_ADDRESS", Policy("default", 2, 60))
    client = Client(REMOTE_ADDR="203.0.113.9")
    assert [client.get("/metrics").status_code for _ in range(3)] == [200, 200, 429]
