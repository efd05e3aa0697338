"""Guesses at passwords: one count at every door, by account and by address, and nobody is shut out by another."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.sessions import throttles
from accounts.sessions.guesses import RIGHT_KEPT
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy
from tests.backends import counted_round_trips, timeline_redis_down
from tests.people import PASSWORD, ApiClient, new_person
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("database", "redis_servers", "limits_on")

WRONG = "a-wrong-guess"
OWNERS, ATTACKERS = "192.0.2.1", "203.0.113.9"


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(throttles, "SIGN_INS_BY_PAIR", Policy("sign-in-login", 3, 300))
    monkeypatch.setattr(throttles, "SIGN_INS_BY_LOGIN", Policy("sign-in-login", 7, 300))
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "rate:*"))[0]))
    yield
    rate_limits._memory.storage.reset()


@pytest.fixture
def wide_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "SIGN_INS_BY_ADDRESS", Policy("sign-in-address", 1000, 60))


def sign_in(login: str, password: str = WRONG, address: str = ATTACKERS) -> Any:
    body = {"username": login, "password": password}
    return Client(REMOTE_ADDR=address).post("/api/v1/auth/token", body, content_type="application/json")


def sign_in_to_the_admin(login: str, password: str = WRONG, address: str = ATTACKERS) -> Any:
    client = Client(REMOTE_ADDR=address, raise_request_exception=False)
    return client.post("/admin/login/", {"username": login, "password": password})


def said(answer: Any) -> tuple[int, str, dict[str, str]]:
    """What an answer tells, without what differs from request to request."""
    fields = {name: answer.headers.get(name, "") for name in ("RateLimit-Policy", "RateLimit", "WWW-Authenticate")}
    return answer.status_code, answer.json()["detail"].split(" in ")[0], fields


def test_one_address_cannot_lock_an_account() -> None:
    person = new_person()
    assert [sign_in(person.username).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert sign_in(person.username, PASSWORD).status_code == 429
    assert sign_in(person.username, PASSWORD, OWNERS).status_code == 200


def test_several_addresses_use_up_what_all_have_together_but_not_where_its_owner_was() -> None:
    person = new_person()
    assert sign_in(person.username, PASSWORD, OWNERS).status_code == 200
    found = [sign_in(person.username, address=f"203.0.113.{last}").status_code for last in range(9)]
    assert found == [401] * 7 + [429] * 2
    assert sign_in(person.username, PASSWORD, "198.51.100.1").status_code == 429
    assert sign_in(person.username, PASSWORD, OWNERS).status_code == 200


def test_what_is_over_the_quota_of_an_address_counts_against_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "SIGN_INS_BY_ADDRESS", Policy("sign-in-address", 4, 60))
    people = [new_person() for _ in range(4)]
    found = [sign_in(person.username).status_code for person in people for _ in range(3)]
    assert found == [401] * 4 + [429] * 8
    for person in people[2:]:
        keys = timeline_node().round_trip(("KEYS", f"*:guesses:{person.pk}*"))[0]
        assert keys == [], "nothing was counted against who was not guessed at"


def spellings(person: User) -> list[str]:
    name, email = person.username, person.email
    return [name.upper(), f"  {name}\n", f"\u3000{name}", email, email.upper(), f"\u00a0{email} "]


def test_an_account_is_counted_as_one_however_it_is_spelt() -> None:
    person = new_person()
    found = [sign_in(login).status_code for login in spellings(person)]
    assert found == [401] * 3 + [429] * 3


def test_a_login_of_nobody_is_told_apart_by_nothing(wide_address: None) -> None:
    person = new_person()
    known = [said(sign_in(login)) for login in (person.username, person.username.upper(), f" {person.username}") * 2]
    unknown = [said(sign_in(login)) for login in ("no_one", "NO_ONE", " no_one") * 2]
    assert [told[:2] for told in known] == [told[:2] for told in unknown]
    assert [told[2]["RateLimit-Policy"] for told in known] == [told[2]["RateLimit-Policy"] for told in unknown]
    assert [status for status, *_ in known] == [401] * 3 + [429] * 3
    assert "sign-in-login" not in known[0][2]["RateLimit"], "what is left would tell whose address it is"


def test_it_costs_the_same_whether_there_is_such_a_person() -> None:
    person = new_person()
    counted = []
    for login in (person.username, person.email, "no_one", "no@example.org"):
        with counted_round_trips() as trips:
            assert sign_in(login).status_code == 401
        counted.append([[command[0] for command in trip] for trip in trips])
    assert counted == [[["EVALSHA"], ["EVALSHA"]]] * 4


def test_a_right_password_is_no_guess(wide_address: None) -> None:
    person = new_person()
    assert [sign_in(person.username, PASSWORD).status_code for _ in range(9)] == [200] * 9
    assert sign_in(person.username).status_code == 401
    assert [sign_in(person.username, PASSWORD).status_code for _ in range(3)] == [200] * 3
    assert [sign_in(person.username).status_code for _ in range(3)] == [401, 401, 429], "the wrong ones stay counted"


def test_of_many_guesses_at_once_only_the_quota_is_hashed(wide_address: None, monkeypatch: pytest.MonkeyPatch) -> None:
    person, hashed = new_person(), []
    monkeypatch.setattr(User, "check_password", lambda self, raw: hashed.append(raw))
    found = run_together([lambda: sign_in(person.username).status_code] * 12)
    assert sorted(found) == [401] * 3 + [429] * 9
    assert len(hashed) == 3


def test_the_addresses_that_were_right_are_few(wide_address: None) -> None:
    person = new_person()
    for last in range(RIGHT_KEPT + 3):
        assert sign_in(person.username, PASSWORD, f"192.0.2.{last}").status_code == 200
    [[key]] = timeline_node().round_trip(("KEYS", f"*:right-from:{person.pk}"))
    length, seconds = timeline_node().round_trip(("LLEN", key), ("TTL", key))
    assert (length, 0 < seconds <= 30 * 24 * 3600) == (RIGHT_KEPT, True)


def test_guesses_without_redis_are_counted_in_the_process() -> None:
    person = new_person()
    with timeline_redis_down():
        assert [sign_in(person.username).status_code for _ in range(4)] == [401] * 3 + [429]
        assert sign_in(person.username, PASSWORD, OWNERS).status_code == 200


def test_the_admin_and_the_api_count_as_one() -> None:
    new_person("boss", staff=True)
    assert sign_in("boss").status_code == 401
    assert [sign_in_to_the_admin(login).status_code for login in ("boss", " BOSS ")] == [200, 200]
    refused = sign_in_to_the_admin("boss", PASSWORD)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 60
    assert refused["Content-Type"].startswith("text/html")
    assert "come again" in refused.content.decode()
    assert sign_in("boss@example.org", PASSWORD).status_code == 429
    assert sign_in_to_the_admin("boss", PASSWORD, OWNERS).status_code == 302


def test_a_flood_at_the_admins_door_is_refused_before_anything_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[object] = []
    monkeypatch.setattr(User, "set_password", lambda self, raw: hashed.append(raw))
    found = [sign_in_to_the_admin(f"nobody_{number}").status_code for number in range(50)]
    assert found == [200] * 30 + [429] * 20
    assert len(hashed) == 30


def test_the_old_password_is_guessed_at_under_the_same_count() -> None:
    person = new_person("boss", staff=True)
    client = Client(REMOTE_ADDR=ATTACKERS)
    client.force_login(person)

    def change(old: str) -> int:
        form = {"old_password": old, "new_password1": "another-horse-42", "new_password2": "another-horse-42"}
        return client.post("/admin/password_change/", form).status_code

    assert [change(WRONG) for _ in range(4)] == [200, 200, 200, 429]
    assert change(PASSWORD) == 429
    assert sign_in("boss", PASSWORD).status_code == 429
    assert sign_in("boss", PASSWORD, OWNERS).status_code == 200


def test_a_stolen_token_does_not_make_guessing_easier() -> None:
    person = new_person()
    thief = ApiClient(person)

    def guess(**change: str) -> Any:
        return thief.patch(
            "/api/v1/me", {"current_password": WRONG, **change}, "application/json", REMOTE_ADDR=ATTACKERS
        )

    changes = [{"password": "another-horse-42"}, {"email": "thief@example.org"}] * 2
    assert [guess(**change).status_code for change in changes] == [422, 422, 422, 429]
    refused = guess(email="thief@example.org", current_password=PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert refused.has_header("Retry-After")
    assert thief.patch("/api/v1/me", {"bio": "x"}, "application/json", REMOTE_ADDR=ATTACKERS).status_code == 200
    assert sign_in(person.username, PASSWORD).status_code == 429


def test_switched_off_nobody_is_counted(settings: Settings) -> None:
    settings.RATE_LIMITS = False
    person = new_person()
    assert {sign_in(person.username).status_code for _ in range(40)} == {401}
    assert {sign_in_to_the_admin(person.username).status_code for _ in range(40)} == {200}
