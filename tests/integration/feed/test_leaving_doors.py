"""Leaving at the doors: who proves it is gone at once, on every path, and stays the only one of that name."""

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.letter_rows import PasswordReset
from accounts.models import User
from accounts.people import leaving, resets, services
from accounts.sessions import tokens
from accounts.staff.roles import Role
from feed.leaving import saga
from feed.live.frames import CloseCode
from feed.live.threads import housekeeping
from storage.errors import Forbidden, NotSignedIn, Unavailable
from storage.redis import rate_limits
from storage.stores import outbox
from tests.integration.feed.lives import a_life, leave
from tests.integration.feed.protected_world import OUTSIDERS, World, protect
from tests.integration.feed.public_stream import act
from tests.integration.feed.reading import a_reader_of
from tests.integration.feed.sockets import Socket
from tests.integration.feed.test_protected_matrix import FOR_ITSELF, GRAPHQL, REST, See, at_graphql, at_rest, rows
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store
from tests.integration.tweeting import guards_have_ended, home, post, viewer
from tests.people import PASSWORD, ApiClient, new_person, new_staff
from tests.work import every_open_order
from tweets.writing.posting import create_tweet

pytestmark = pytest.mark.usefixtures("product")

LEAVE = (
    "mutation Leave($password: String!) { deleteAccount(input: {password: $password}) { ok errors { field code } } }"
)


def left(person: User) -> bool:
    return User.objects.filter(pk=person.pk, left_at__isnull=False, suspended_at__isnull=False).exists()


@pytest.fixture
def limits_on(settings: Settings) -> Iterator[None]:
    settings.RATE_LIMITS = True
    yield
    rate_limits._memory.storage.reset()


@on_one_store
@pytest.mark.parametrize(
    "password",
    [
        "",
        "wrong",
        PASSWORD.upper(),
        f" {PASSWORD}",
        f"{PASSWORD}\0",
        "ключ-🐎-41",
        "x" * 1_000,
        "y" * 60_000,
    ],
    ids=["empty", "wrong", "case", "space", "nul", "unicode", "long", "huge"],
)
def test_only_the_password_lets_one_leave(password: str) -> None:
    person = new_person()
    answer = Api(person).call("DELETE", "/me", {"password": password})
    assert answer.status_code == 422
    assert [*answer.json()["errors"]] == ["password"]
    assert not left(person)
    assert Api(person).get("/me").status_code == 200


@on_one_store
@pytest.mark.parametrize(
    "body", [None, {}, {"password": None}, {"password": 7}, {"password": PASSWORD, "why": "bored"}, []]
)
def test_a_body_that_is_none_is_refused(body: Any) -> None:
    person = new_person()
    assert Api(person).call("DELETE", "/me", body).status_code in (400, 422)
    assert not left(person)


@on_one_store
def test_a_password_of_another_keyboard_is_the_same() -> None:
    person = services.register(username="zoe", email="zoe@example.org", password="caf\u00e9-horse-41")
    assert Api(person).call("DELETE", "/me", {"password": "cafe\u0301-horse-41"}).status_code == 202


@on_one_store
def test_guesses_are_counted_as_any(limits_on: None) -> None:
    person = new_person()
    client = ApiClient(person)
    said = [client.delete("/api/v1/me", {"password": "wrong"}, "application/json").status_code for _ in range(12)]
    assert said == [422] * 10 + [429] * 2
    again = client.delete("/api/v1/me", {"password": PASSWORD}, "application/json")
    assert again.status_code == 429
    assert not left(person)


def test_whoever_leaves_is_signed_out_everywhere_and_cannot_come_back() -> None:
    life = a_life()
    other_session = ApiClient(life.person)
    resets.ask(life.person.email)
    token = resets.token_for(life.person)
    answer = Api(token=life.client.token).call("DELETE", "/me", {"password": PASSWORD})
    assert (answer.status_code, answer.json()) == (202, {"data": {"left": True}})
    for client in (life.client, other_session):
        assert client.get("/api/v1/me").status_code == 401
    assert life.client.delete("/api/v1/me", {"password": PASSWORD}, "application/json").status_code == 401
    for login in (life.person.username, life.person.email):
        with pytest.raises(NotSignedIn):
            services.sign_in(login=login, password=PASSWORD)
    assert not PasswordReset.objects.exists()
    reset = {"token": token, "password": "another-horse-42"}
    assert ApiClient().post("/api/v1/auth/password-reset/confirm", reset, "application/json").status_code == 422
    with pytest.raises(NotSignedIn):
        tokens.issue(life.person)


@on_one_store
@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title])
def test_the_name_stays_taken_however_it_is_spelled(spelled: Any) -> None:
    person = new_person("Ada_who_left")
    leave(person)
    asked = {"username": spelled(person.username), "email": "somebody@example.org", "password": PASSWORD}
    answer = ApiClient().post("/api/v1/auth/register", asked, "application/json")
    assert answer.status_code == 422
    assert [*answer.json()["errors"]] == ["username"]


@on_one_store
@pytest.mark.parametrize("role", [*Role, None])
def test_staff_do_not_leave_until_their_role_is_taken(role: Role | None) -> None:
    person = new_person(staff=True) if role is None else new_staff(role)
    before = every_open_order()
    answer = Api(person).call("DELETE", "/me", {"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (403, "staff")
    assert not left(person)
    assert every_open_order() == before
    User.objects.filter(pk=person.pk).update(is_staff=False, is_superuser=False)
    if role is not None:
        with pytest.raises(Forbidden):
            leaving.leave(person.pk, PASSWORD)
    person.groups.clear()
    leave(person)
    assert left(person)


@on_one_store
def test_graphql_says_the_same() -> None:
    person, staff = new_person(), new_person(staff=True)
    wrong = Door(person).data(LEAVE, {"password": "wrong"})["deleteAccount"]
    assert wrong == {"ok": False, "errors": [{"field": "password", "code": "wrong_password"}]}
    assert Door(person).data(LEAVE, {"password": PASSWORD})["deleteAccount"] == {"ok": True, "errors": []}
    assert left(person)
    [error] = Door(staff).errors(LEAVE, {"password": PASSWORD}, status=200)
    assert error["extensions"]["code"] == "staff"
    assert not left(staff)


@on_one_store
def test_a_second_time_under_one_key_is_no_second_time() -> None:
    person = new_person()
    client = ApiClient(person)
    key = {"Idempotency-Key": "once"}
    sent = ({"password": PASSWORD}, "application/json")
    assert client.delete("/api/v1/me", *sent, headers=key).status_code == 202
    assert client.delete("/api/v1/me", *sent, headers=key).status_code == 401


def test_a_store_that_is_away_does_not_keep_anybody() -> None:
    """What is ordered in it is made good by the row: erasing begins within a minute."""
    person = new_person()
    with patch.object(type(outbox()), "add", side_effect=Unavailable("store")):
        assert leaving.leave(person.id, PASSWORD) is None
    assert left(person)
    assert saga.erase(person.id, seconds=5) is False


def test_sockets_are_closed_and_others_screens_lose_what_they_wrote() -> None:
    author = new_person()
    reader = a_reader_of(author)

    async def scenario() -> None:
        own, others = [await housekeeping(Socket, each) for each in (author, reader)]
        for socket in (own, others):
            await socket.open()
        tweet = await act(post, author)
        for socket in (own, others):
            assert await socket.until(tweet) == [tweet]
        await housekeeping(leave, author)
        assert await others.deleted(1) == [tweet]
        async with asyncio.timeout(10):
            assert await own.closed_at_last() in (CloseCode.NOT_AUTHENTICATED, CloseCode.FORBIDDEN)
        await others.close()

    asyncio.run(scenario())


OTHERS = [name for name in (*OUTSIDERS, "follower") if name != "author"]


def differences(world: World, table: str, see: See) -> dict[str, tuple[str, str]]:
    """What anybody sees otherwise than who may not see a protected person: for all of them she is not there."""
    wrong = {}
    for path, _, outsiders, _ in rows(table):
        for name in OTHERS:
            if path.startswith(FOR_ITSELF) and name == "anonymous":
                continue
            shown = see(world, path, name)
            if shown != outsiders:
                wrong[f"{path} as {name}"] = (shown, outsiders)
    return wrong


@on_one_store
@pytest.mark.parametrize(("table", "see"), [(REST, at_rest), (GRAPHQL, at_graphql)], ids=["REST", "GraphQL"])
def test_on_every_path_whoever_left_is_not_there_at_once_and_after_the_erasing(table: str, see: See) -> None:
    world = World()
    protect(world.ada, protected=False)
    leave(world.ada)
    assert differences(world, table, see) == {}
    for name in OTHERS:
        assert Api(world.people[name]).call("GET", f"/users/{world.ada.username}").status_code == 404
    saga.erase(world.ada.id, seconds=20)
    guards_have_ended()
    assert differences(world, table, see) == {}


def test_an_author_is_gone_from_home_at_once() -> None:
    life = a_life()
    assert {*life.tweets} & {*home(life.friend)}
    leave(life.person)
    assert not {*life.tweets} & {*home(life.friend)}


def test_what_was_let_in_before_is_written_and_seen_by_nobody() -> None:
    author, reader = new_person(), new_person()
    let_in = viewer(author)
    leave(author)
    late = create_tweet(author=let_in, text="late").id
    assert Api(reader).call("GET", f"/tweets/{late}").status_code == 404
    assert post(reader) in {*home(reader)}


@on_one_store
def test_leaving_orders_erasing_and_a_worker_begins() -> None:
    person = new_person()
    Api(person).call("DELETE", "/me", {"password": PASSWORD})
    [order] = [each for each in every_open_order() if each.kind == leaving.LEAVE_ORDER]
    assert order.args == (person.id,)
    assert outbox().open_order(order.id) is not None


@on_one_store
def test_without_sql_nobody_leaves_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    person = new_person()

    def away(*_: object) -> None:
        raise Unavailable("database")

    monkeypatch.setattr(leaving, "note_change", away)
    with pytest.raises(Unavailable):
        leave(person)
    assert not left(person)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
