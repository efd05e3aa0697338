"""Signing up, in and out over REST."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import get_hasher, make_password
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
        "protected": False,
        "email": "ada@example.org",
        "email_confirmed": False,
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


KEYBOARDS = [
    ("Zo\u00eb-stra\u00dfe 41", "Zoe\u0308-stra\u00dfe 41"),
    ("Zoe\u0308\u0323 horse 41", "Zo\u1eb9\u0308 horse 41"),
    ("correct horse 41", "correct\u00a0horse\u300041"),
    ("correct-horse-41", "ｃｏｒｒｅｃｔ－ｈｏｒｓｅ－４１"),
    ("한글 비밀번호 41", "\u1112\u1161\u11ab\u1100\u1173\u11af 비밀번호 41"),
]
"""A password as two keyboards type it."""


@pytest.mark.parametrize(("typed", "elsewhere"), [*KEYBOARDS, *((other, one) for one, other in KEYBOARDS)], ids=ascii)
def test_a_password_is_the_same_on_every_keyboard(typed: str, elsewhere: str) -> None:
    client = ApiClient(token=register(password=typed).json()["data"]["token"])
    assert sign_in("ada_l", elsewhere).status_code == sign_in("ada_l", typed).status_code == 200
    assert sign_in("ada_l", elsewhere.upper() + typed).status_code == 401
    change = {"current_password": elsewhere, "password": f"new {typed}"}
    assert client.patch("/api/v1/me", change, "application/json").status_code == 200
    assert sign_in("ada_l", f"new\u2003{elsewhere}").status_code == 200


@pytest.mark.parametrize(("typed", "elsewhere"), [*KEYBOARDS, *((other, one) for one, other in KEYBOARDS)], ids=ascii)
def test_a_hash_of_what_was_typed_still_works_and_from_then_on_everywhere(typed: str, elsewhere: str) -> None:
    register()
    User.objects.update(password=make_password(typed))
    assert sign_in("ada_l", f"not {typed}").status_code == 401
    assert sign_in("ada_l", typed).status_code == 200
    assert sign_in("ada_l", elsewhere).status_code == 200


def test_a_hash_is_not_replaced_by_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody signs in with the old password while they change it."""
    typed, elsewhere = KEYBOARDS[0][::-1]
    person = new_person()
    User.objects.update(password=make_password(typed))
    person.refresh_from_db()
    User.objects.update(password=make_password("new-horse-42"))
    assert person.check_password(typed)
    kept = person.password
    person.refresh_from_db()
    assert person.password != kept, "a session keyed to what the old password left is none"
    assert person.check_password("new-horse-42")
    assert not person.check_password(elsewhere)


@pytest.mark.parametrize(
    ("password", "hashes"), [("wrong-horse-41", 1), ("wrong h\u00f6rse", 1), ("wrong ho\u0308rse", 2)]
)
def test_what_is_refused_costs_the_same_whether_there_is_such_a_person(
    monkeypatch: pytest.MonkeyPatch, password: str, hashes: int
) -> None:
    register()
    new_person("locked")
    User.objects.filter(username="locked").update(password=make_password(None))
    hasher, hashed = type(get_hasher()), []
    original = hasher.encode

    def counted(self: Any, *given: Any, **options: Any) -> Any:
        hashed.append(given)
        return original(self, *given, **options)

    monkeypatch.setattr(hasher, "encode", counted)
    for login in ("ada_l", "nobody", "ada@example.org", "no@example.org", "locked"):
        hashed.clear()
        assert sign_in(login, password).status_code == 401
        assert len(hashed) == hashes, login


@pytest.mark.parametrize("around", [" {} ", "{}\n", "\u00a0{}\u3000", "\t{}"], ids=ascii)
def test_an_address_is_trimmed_when_signing_in_as_when_registering(around: str) -> None:
    assert register(email=around.format("ada@example.org")).json()["data"]["user"]["email"] == "ada@example.org"
    for login in ("ada@example.org", "ADA@Example.org", "ada_l"):
        assert sign_in(around.format(login), PASSWORD).status_code == 200
    assert sign_in("ada @example.org", PASSWORD).status_code == 401


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
