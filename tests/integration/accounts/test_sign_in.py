"""Signing up, in and out over REST."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from knox.models import AuthToken

from accounts.models import User
from accounts.people import services
from tests.people import PASSWORD, ApiClient, new_person
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

ADA = {"username": "Ada_L", "email": "ada@example.org", "password": PASSWORD}


def register(**changes: Any) -> Any:
    return ApiClient().post("/api/v1/auth/register", {**ADA, **changes}, "application/json")


def sign_in(username: str, password: str) -> Any:
    return ApiClient().post("/api/v1/auth/token", {"username": username, "password": password}, "application/json")


def me(token: str) -> Any:
    return ApiClient(token=token).get("/api/v1/me")


def test_registering_answers_the_own_account_and_a_token_that_works() -> None:
    answer = register()
    assert answer.status_code == 201
    data = answer.json()["data"]
    user = data["user"]
    assert user.pop("created_at").endswith("Z")
    assert user.pop("id").isdigit()
    assert user == {
        "username": "Ada_L",
        "display_name": "Ada_L",
        "bio": "",
        "avatar_url": None,
        "verified": False,
        "email": "ada@example.org",
    }
    assert me(data["token"]).json()["data"]["username"] == "Ada_L"


@pytest.mark.parametrize("login", ["ada_l", "ADA_L", "Ada@Example.org"])
def test_sign_in_takes_username_or_email_in_any_case(login: str) -> None:
    register()
    answer = sign_in(login, PASSWORD)
    assert answer.status_code == 200
    assert me(answer.json()["data"]["token"]).status_code == 200


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("ada_l", "wrong-horse-41"),
        ("nobody", PASSWORD),
        ("no@example.org", PASSWORD),
        ("\x00", "x"),
        ("ada_l", "x" * 9000),
    ],
)
def test_a_refused_sign_in_does_not_tell_what_was_wrong(login: str, password: str) -> None:
    register()
    answer = sign_in(login, password)
    if login == "\x00":
        assert answer.status_code == 422
        return
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "bad_credentials"
    assert answer.json()["detail"] == "The username, e-mail address or password is wrong."


def test_an_unknown_login_costs_a_password_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str | None] = []
    monkeypatch.setattr(User, "set_password", lambda self, raw: hashed.append(raw))
    sign_in("nobody", PASSWORD)
    assert hashed == [PASSWORD]


@pytest.mark.parametrize(
    "taken", [{"email": "other@example.org", "username": "aDA_l"}, {"username": "other", "email": "ADA@EXAMPLE.ORG"}]
)
def test_username_and_email_are_unique_in_any_case(taken: dict[str, str]) -> None:
    register()
    answer = register(**taken)
    assert answer.status_code == 422
    [field] = answer.json()["errors"]
    assert field == ("email" if taken["username"] == "other" else "username")


def test_of_twenty_registrations_at_once_one_gets_the_name() -> None:
    def attempt(number: int) -> int:
        name = "Race" if number % 2 else "race"
        return int(register(username=name, email=f"r{number}@example.org").status_code)

    statuses = run_together([partial(attempt, number) for number in range(20)])
    assert sorted(statuses) == [201] + [422] * 19
    assert get_user_model().objects.count() == 1


def test_the_index_itself_refuses_a_name_taken_in_the_meantime(monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    original, asked = services._refuse_taken, []

    def blind_at_first(**given: Any) -> None:
        asked.append(given)
        if len(asked) > 1:
            original(**given)

    monkeypatch.setattr(services, "_refuse_taken", blind_at_first)
    answer = register(username="ADA_l", email="new@example.org")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["username"])


def test_everything_that_is_wrong_is_said_at_once() -> None:
    answer = register(username="a b", email="nonsense", password="short")
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"username", "email", "password"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": 12345}, "username"),
        ({"username": True}, "username"),
        ({"username": None}, "username"),
        ({"username": ["ada"]}, "username"),
        ({"email": {"a": 1}}, "email"),
        ({"password": 123456789012}, "password"),
        ({"password": "Ada_L_12"}, "password"),
        ({"password": "password"}, "password"),
        ({"password": "x" * 1001}, "password"),
        ({"username": "ada\x00"}, "username"),
        ({"email": "a" * 250 + "@example.org"}, "email"),
    ],
)
def test_wrong_types_and_rules_are_refused_by_field(change: dict[str, Any], field: str) -> None:
    answer = register(**change)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_sign_out_ends_this_token_at_once_and_leaves_the_other() -> None:
    register()
    first, second = (sign_in("ada_l", PASSWORD).json()["data"]["token"] for _ in range(2))
    assert me(first).status_code == me(second).status_code == 200
    assert ApiClient(token=first).delete("/api/v1/auth/token").status_code == 204
    assert me(first).status_code == 401
    assert me(second).status_code == 200


def test_sign_out_everywhere_ends_every_token_at_once() -> None:
    register()
    tokens = [sign_in("ada_l", PASSWORD).json()["data"]["token"] for _ in range(3)]
    assert [me(token).status_code for token in tokens] == [200] * 3
    assert ApiClient(token=tokens[0]).delete("/api/v1/auth/token?all=true").status_code == 204
    assert [me(token).status_code for token in tokens] == [401] * 3


def test_all_is_true_or_false() -> None:
    answer = ApiClient(new_person()).delete("/api/v1/auth/token?all=yes")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_flag")


def test_signing_in_removes_tokens_that_have_ended() -> None:
    person = new_person()
    ApiClient(person)
    AuthToken.objects.update(expiry=datetime.now(UTC) - timedelta(seconds=1))
    ApiClient(person)
    assert AuthToken.objects.count() == 1


def test_a_stale_token_in_the_header_does_not_hinder_signing_in() -> None:
    register()
    client = ApiClient(token="1." + "0" * 64)
    answer = client.post("/api/v1/auth/token", {"username": "ada_l", "password": PASSWORD}, "application/json")
    assert answer.status_code == 200
