"""Tokens that are none: how many an address may send, and what they cost when it has sent too many."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from knox.models import AuthToken
from pytest_django.fixtures import Settings

from accounts.sessions import bad_tokens
from accounts.sessions.bad_tokens import UntilLater
from accounts.sessions.tokens import authenticate
from storage.errors import NotSignedIn, TooMany
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy
from tests.backends import counted_round_trips, counted_sql, timeline_redis_down
from tests.ids import new_id
from tests.people import ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers", "limits_on")

ATTACKERS, OTHERS = "203.0.113.9", "192.0.2.1"
QUOTA = 4


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(bad_tokens, "BAD_TOKENS", Policy("bad-token", QUOTA, 60))
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "rate:*"))[0]))
    bad_tokens.forget()
    yield
    bad_tokens.forget()
    rate_limits._memory.storage.reset()


def bad_header(kind: str) -> str:
    """A header of each kind that signs nobody in, new each time."""
    if kind == "ended":
        client = ApiClient(new_person())
        AuthToken.objects.update(expiry=datetime.now(UTC) - timedelta(seconds=1))
        return f"Bearer {client.token}"
    return {
        "unknown": f"Bearer {new_id()}.{new_id():064x}",
        "malformed": f"Bearer {new_id()}",
        "no bearer": f"Basic {new_id()}",
        "empty": "",
    }[kind]


def ask(header: str, path: str = "/api/v1/me", address: str = ATTACKERS) -> Any:
    return Client(REMOTE_ADDR=address).get(path, headers={"Authorization": header})


@pytest.mark.parametrize("kind", ["unknown", "malformed", "no bearer", "empty", "ended"])
def test_bad_tokens_of_every_kind_are_counted_by_address(kind: str) -> None:
    found = [ask(bad_header(kind)).status_code for _ in range(QUOTA + 2)]
    assert found == [401] * QUOTA + [429] * 2
    assert ask(bad_header(kind), address=OTHERS).status_code == 401


def test_it_is_said_what_is_left_and_when_to_come_again() -> None:
    answers = [ask(bad_header("unknown")) for _ in range(QUOTA + 2)]
    assert answers[0]["RateLimit"].startswith(f'"bad-token";r={QUOTA - 1};t=')
    for refused in answers[QUOTA:]:
        assert (refused.json()["code"], refused["Content-Type"]) == ("throttled", "application/problem+json")
        assert 1 <= int(refused["Retry-After"]) <= 61
        assert refused["RateLimit"].startswith('"bad-token";r=0;t=')


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/feed/home", "/api/v1/feed/public", "/graphql"])
def test_one_count_at_every_door(path: str) -> None:
    for _ in range(QUOTA + 1):
        ask(bad_header("unknown"), "/api/v1/feed/home")
    client = Client(REMOTE_ADDR=ATTACKERS, headers={"Authorization": bad_header("unknown")})
    if path == "/graphql":
        answer = client.post(path, {"query": "{ me { id } }"}, content_type="application/json")
    else:
        answer = client.get(path)
    assert answer.status_code == 429


@pytest.mark.parametrize(("kind", "trips"), [("unknown", 1), ("malformed", 0)])
def test_over_the_quota_sql_is_not_asked(kind: str, trips: int) -> None:
    for _ in range(QUOTA + 1):
        ask(bad_header(kind))
    header = bad_header(kind)
    with counted_sql("default") as statements, counted_round_trips() as made:
        assert ask(header).status_code == 429
    assert (len(statements), len(made)) == (0, trips)


def test_a_repeatable_write_is_counted_once() -> None:
    client = Client(REMOTE_ADDR=ATTACKERS, headers={"Authorization": bad_header("unknown"), "Idempotency-Key": "k"})
    found = [client.post("/api/v1/tweets", {"text": "x"}, "application/json").status_code for _ in range(QUOTA + 1)]
    assert found == [401] * QUOTA + [429]


def test_good_tokens_of_neighbours_go_on() -> None:
    """One that the cache has forgotten as well, if this process has seen it before."""
    neighbour = ApiClient(new_person())
    assert neighbour.get("/api/v1/me", REMOTE_ADDR=ATTACKERS).status_code == 200
    for _ in range(QUOTA + 1):
        ask(bad_header("unknown"))
    assert neighbour.get("/api/v1/me", REMOTE_ADDR=ATTACKERS).status_code == 200
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "*:token:*"))[0]))
    assert neighbour.get("/api/v1/me", REMOTE_ADDR=ATTACKERS).status_code == 200
    assert neighbour.delete("/api/v1/auth/token", REMOTE_ADDR=ATTACKERS).status_code == 204
    assert neighbour.get("/api/v1/me", REMOTE_ADDR=ATTACKERS).status_code == 429, "it is bad now"
    with counted_sql("default") as statements:
        assert neighbour.get("/api/v1/me", REMOTE_ADDR=ATTACKERS).status_code == 429
    assert statements == [], "and known to be"


def test_who_has_just_signed_in_does_not_pay_for_neighbours() -> None:
    for _ in range(QUOTA + 1):
        ask(bad_header("unknown"))
    assert ApiClient(new_person()).get("/api/v1/me", REMOTE_ADDR=ATTACKERS).status_code == 200


def test_a_window_ends_in_the_process_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(QUOTA + 1):
        ask(bad_header("unknown"))
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    timeline_node().round_trip(("DEL", f"rate:bad-token:{ATTACKERS}"))
    assert ask(bad_header("unknown")).status_code == 401


def test_without_redis_they_are_counted_in_the_process() -> None:
    with timeline_redis_down():
        found = [ask(bad_header("unknown")).status_code for _ in range(QUOTA + 2)]
    assert found == [401] * QUOTA + [429] * 2


def test_a_socket_s_bad_tokens_are_counted_with_the_others() -> None:
    for _ in range(QUOTA - 1):
        ask(bad_header("unknown"))
    with pytest.raises(NotSignedIn):
        authenticate(f"{new_id()}.{'0' * 64}", ATTACKERS)
    with pytest.raises(TooMany):
        authenticate("nonsense", ATTACKERS)
    with counted_sql("default") as statements, pytest.raises(TooMany):
        authenticate(f"{new_id()}.{'0' * 64}", ATTACKERS)
    assert statements == []


def test_switched_off_nothing_is_counted(settings: Settings) -> None:
    settings.RATE_LIMITS = False
    assert {ask(bad_header("unknown")).status_code for _ in range(QUOTA + 3)} == {401}


def test_what_is_remembered_is_bounded_and_ends() -> None:
    kept: UntilLater[int] = UntilLater(3)
    for number in range(5):
        kept.add(number, 60)
    assert [kept.seconds_left(number) > 0 for number in range(5)] == [False, False, True, True, True]
    kept.add(2, -1)
    assert kept.seconds_left(2) == 0
