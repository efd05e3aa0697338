"""Who may ask how often, what they are told of it, and what it costs."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from accounts.sessions import authentication, throttles
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy, hit_all, hit_in_memory
from storage.web.client_address import client_address
from tests.backends import counted_round_trips, counted_sql, timeline_redis_down
from tests.ids import new_id
from tests.people import PASSWORD, ApiClient, new_person
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("database", "redis_servers", "limits_on")

SMALL = Policy("default", 3, 60)


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(authentication, "SIGNED_IN", SMALL)
    monkeypatch.setattr(authentication, "BY_ADDRESS", SMALL)
    yield
    rate_limits._memory.storage.reset()


def statuses(client: Client, path: str, times: int) -> list[int]:
    return [client.get(path).status_code for _ in range(times)]


def sign_in(client: Client, username: str, password: str = PASSWORD, **extra: Any) -> Any:
    body = {"username": username, "password": password}
    return client.post("/api/v1/auth/token", body, content_type="application/json", **extra)


def test_a_person_has_one_quota_whatever_token_they_come_with() -> None:
    person = new_person()
    assert statuses(ApiClient(person), "/api/v1/me", 2) == [200, 200]
    assert statuses(ApiClient(person), "/api/v1/feed/home", 2) == [200, 429]


def test_people_do_not_use_up_each_others_quota() -> None:
    one, other = ApiClient(new_person()), ApiClient(new_person())
    assert statuses(one, "/api/v1/me", 4)[-1] == 429
    assert statuses(other, "/api/v1/me", 3) == [200] * 3


def test_an_answer_says_what_is_left() -> None:
    client = ApiClient(new_person())
    first, second = client.get("/api/v1/me"), client.get("/api/v1/me")
    assert first["RateLimit-Policy"] == second["RateLimit-Policy"] == '"default";q=3;w=60'
    assert first["RateLimit"].startswith('"default";r=2;t=')
    assert second["RateLimit"].startswith('"default";r=1;t=')
    assert 1 <= int(second["RateLimit"].rpartition("=")[2]) <= 60
    missing = client.get("/api/v1/tweets/1")
    assert (missing.status_code, missing["RateLimit"].split(";")[1]) == (404, "r=0")


def test_too_many_is_a_problem_that_says_when_to_come_back() -> None:
    client = ApiClient(new_person())
    statuses(client, "/api/v1/me", 3)
    answer = client.get("/api/v1/me")
    assert answer.status_code == 429
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "throttled"
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert answer["RateLimit"] == f'"default";r=0;t={answer["Retry-After"]}'


def test_a_window_ends() -> None:
    policy = Policy("short", 1, 60)
    key = f"rate:{new_id()}"
    assert [hit_all((policy, key))[0].exceeded for _ in range(2)] == [False, True]
    timeline_node().round_trip(("PEXPIRE", key, 1))
    while timeline_node().round_trip(("EXISTS", key)) == [1]:
        pass
    assert not hit_all((policy, key))[0].exceeded


def test_what_many_do_at_once_is_counted_exactly() -> None:
    policy, key = Policy("exact", 10, 60), f"rate:{new_id()}"
    hits = run_together([lambda: hit_all((policy, key))[0]] * 24)
    assert sorted(hit.count for hit in hits) == list(range(1, 25))
    assert sum(not hit.exceeded for hit in hits) == 10


def test_claiming_to_be_someone_does_not_use_up_their_quota() -> None:
    person = new_person()
    victim = ApiClient(person)
    assert victim.get("/api/v1/me").status_code == 200
    impostor = ApiClient(token=f"{person.id}." + "0" * 64)
    assert statuses(impostor, "/api/v1/me", 9) == [401] * 9
    assert statuses(victim, "/api/v1/me", 3) == [200, 200, 429]


def test_a_revoked_token_does_not_use_up_the_quota() -> None:
    person = new_person()
    gone, kept = ApiClient(person), ApiClient(person)
    assert gone.delete("/api/v1/auth/token").status_code == 204
    assert statuses(gone, "/api/v1/me", 9) == [401] * 9
    assert statuses(kept, "/api/v1/me", 2) == [200, 200]


def test_the_first_request_with_an_uncached_token_counts_as_well() -> None:
    client = ApiClient(new_person())
    first = client.get("/api/v1/me")
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "*:token:*"))[0]))
    again = client.get("/api/v1/me")
    assert [answer["RateLimit"].split(";")[1] for answer in (first, again)] == ["r=2", "r=1"]


def test_a_warm_read_costs_no_round_trip_more() -> None:
    client = ApiClient(new_person())
    client.post("/api/v1/tweets", {"text": "x"}, content_type="application/json")
    client.get("/api/v1/feed/home")
    with counted_round_trips() as trips:
        answer = client.get("/api/v1/feed/home")
    assert answer["RateLimit"].startswith('"default";r=0;')
    assert len(answer.json()["data"]) == 1
    assert len(trips) == 2


@pytest.mark.parametrize("ended", ["*:token:*", "*:account:*"])
def test_a_token_or_card_that_has_ended_costs_a_query_and_a_round_trip_and_is_counted_once(ended: str) -> None:
    client = ApiClient(new_person())
    first = client.get("/api/v1/feed/home")
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", ended))[0]))
    with counted_round_trips() as trips, counted_sql("default") as sql:
        second = client.get("/api/v1/feed/home")
    assert [answer["RateLimit"].split(";")[1] for answer in (first, second)] == ["r=2", "r=1"]
    assert (len(trips), len(sql)) == (2, 1), "an empty page asks for nothing more"


def test_nobody_is_counted_by_address() -> None:
    path = f"/api/v1/users/{new_person().username}/tweets"
    assert statuses(Client(REMOTE_ADDR="192.0.2.1"), path, 4) == [200, 200, 200, 429]
    assert statuses(Client(REMOTE_ADDR="192.0.2.2"), path, 1) == [200]


def test_an_ipv6_customer_is_one_address() -> None:
    path = f"/api/v1/users/{new_person().username}/tweets"
    mine = [Client(REMOTE_ADDR=f"2001:db8:0:1::{last}").get(path).status_code for last in range(4)]
    assert mine == [200, 200, 200, 429]
    assert Client(REMOTE_ADDR="2001:db8:0:2::1").get(path).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "not an address", "192.0.2.1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_client_behind_proxies_is_what_the_outermost_of_ours_saw(
    proxies: int, forwarded: str, address: str, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_guesses_at_one_account_are_limited_from_wherever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "SIGN_INS_BY_LOGIN", Policy("sign-in-login", 2, 300))
    name = new_person().username
    guesses = [
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{last}"), spelling, "a-wrong-guess").status_code
        for last, spelling in enumerate([name, name.upper()])
    ]
    assert guesses == [401, 401]
    right = sign_in(Client(REMOTE_ADDR="192.0.2.99"), name)
    assert right.status_code == 429
    assert right["RateLimit-Policy"] == '"sign-in-address";q=30;w=60, "sign-in-login";q=2;w=300'
    assert int(right["Retry-After"]) > 60
    assert sign_in(Client(), new_person().username).status_code == 200


def test_guesses_from_one_address_are_limited_at_whomever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "SIGN_INS_BY_ADDRESS", Policy("sign-in-address", 2, 60))
    names = [new_person().username for _ in range(3)]
    assert [sign_in(Client(), name).status_code for name in names] == [200, 200, 429]


def test_signing_up_is_limited_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "SIGN_UPS", Policy("sign-up", 2, 3600))
    answers = [
        Client().post(
            "/api/v1/auth/register",
            {"username": name, "email": f"{name}@example.org", "password": PASSWORD},
            content_type="application/json",
        )
        for name in ("one_of_them", "two_of_them", "three_of_them")
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[0]["RateLimit-Policy"] == '"sign-up";q=2;w=3600'


def test_repeated_answers_count_too() -> None:
    client = ApiClient(new_person())

    def follow() -> Any:
        return client.put("/api/v1/users/nobody_here/follow", headers={"Idempotency-Key": "k"})

    answers = [follow() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0", "r=0"]


def test_without_redis_each_process_counts_for_itself() -> None:
    client = ApiClient(new_person())
    with timeline_redis_down():
        assert statuses(client, "/api/v1/me", 4) == [200, 200, 200, 429]
        assert statuses(Client(), "/api/v1/tweets/1", 4) == [404, 404, 404, 429]


def test_counting_in_memory_says_the_same() -> None:
    key = str(new_id())
    hits = [hit_in_memory(SMALL, key) for _ in range(5)]
    assert [(hit.remaining, hit.exceeded) for hit in hits] == [(2, False), (1, False), (0, False), (0, True), (0, True)]
    assert all(1 <= hit.resets_seconds <= 60 for hit in hits)


def test_switched_off_nothing_is_counted_or_said(settings: Settings) -> None:
    settings.RATE_LIMITS = False
    client = ApiClient(new_person())
    assert statuses(client, "/api/v1/me", 9) == [200] * 9
    assert "RateLimit" not in client.get("/api/v1/me")


def test_what_must_always_answer_is_not_limited() -> None:
    assert statuses(Client(), "/healthz", 9) == [200] * 9
