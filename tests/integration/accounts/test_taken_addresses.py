"""Who is told that an e-mail address is taken, and how often."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.sessions import throttles
from storage.errors import Crowded
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers", "limits_on")


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(throttles, "EMAILS_BY_PERSON", Policy("email-change", 2, 3600))
    monkeypatch.setattr(throttles, "EMAILS_BY_ADDRESS", Policy("email-change-address", 3, 3600))
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "rate:*"))[0]))
    yield
    rate_limits._memory.storage.reset()


def change_email(client: Client, email: str, password: str | None = PASSWORD, address: str = "192.0.2.1") -> Any:
    body = {"email": email} if password is None else {"email": email, "current_password": password}
    return client.patch("/api/v1/me", body, "application/json", REMOTE_ADDR=address)


@pytest.mark.parametrize("password", [None, "a-wrong-guess", ""])
def test_without_the_password_taken_and_free_are_answered_alike(password: str | None) -> None:
    taken = new_person().email
    client = ApiClient(new_person())
    answers = [change_email(client, email, password).json() for email in (taken, "free@example.org")]
    assert answers[0]["errors"] == answers[1]["errors"]
    assert [*answers[0]["errors"]] == ["current_password"]


def test_a_person_may_ask_a_few_times_an_hour() -> None:
    taken, person = new_person().email, new_person()
    client = ApiClient(person)
    answers = [change_email(client, email) for email in (taken, "free@example.org", taken, "two@example.org")]
    assert [answer.status_code for answer in answers] == [422, 200, 429, 429]
    assert int(answers[-1]["Retry-After"]) > 3000
    assert User.objects.get(pk=person.pk).email == "free@example.org"


def test_many_accounts_at_one_address_may_not_ask_more() -> None:
    taken = new_person().email
    found = [change_email(ApiClient(new_person()), taken).status_code for _ in range(5)]
    assert found == [422, 422, 422, 429, 429]
    assert change_email(ApiClient(new_person()), taken, address="192.0.2.2").status_code == 422


def test_who_asks_too_often_uses_up_no_neighbour_s_tries() -> None:
    taken, client = new_person().email, ApiClient(new_person())
    assert [change_email(client, taken).status_code for _ in range(6)] == [422] * 2 + [429] * 4
    assert change_email(ApiClient(new_person()), taken).status_code == 422


def test_a_change_whose_password_had_no_turn_to_be_hashed_is_no_try(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ApiClient(new_person())
    both = {"email": "new@example.org", "password": "another-horse-42", "current_password": PASSWORD}

    def crowded(*_: object) -> None:
        raise Crowded("signing in or up")

    with monkeypatch.context() as patched:
        patched.setattr(User, "set_password", crowded)
        assert [client.patch("/api/v1/me", both, "application/json").status_code for _ in range(3)] == [503] * 3
    assert client.patch("/api/v1/me", both, "application/json").status_code == 200


def test_the_own_address_in_its_own_spelling_needs_no_password_and_asks_for_nothing() -> None:
    person = new_person()
    client = ApiClient(person)
    assert [change_email(client, f" {person.email} ", None).status_code for _ in range(4)] == [200] * 4


def register(**given: str) -> Any:
    return Client().post("/api/v1/auth/register", given, content_type="application/json")


def test_signing_up_tells_of_an_address_only_when_all_else_is_right() -> None:
    """So whoever asks about one that is free has made an account with it."""
    other = new_person()
    taken = {"email": other.email, "password": PASSWORD}
    for wrong in ({"username": other.username}, {"username": "admin"}, {"username": "fresh", "password": "short"}):
        assert "email" not in register(**{**taken, **wrong}).json()["errors"]
    assert [*register(username="fresh", **taken).json()["errors"]] == ["email"]
    free = {"username": "fresh", "email": "free@example.org", "password": PASSWORD}
    assert register(**free).status_code == 201


def test_what_is_refused_counts_as_a_sign_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "SIGN_UPS", Policy("sign-up", 2, 3600))
    taken = {"username": "fresh", "email": new_person().email, "password": PASSWORD}
    assert [register(**taken).status_code for _ in range(4)] == [422, 422, 429, 429]
