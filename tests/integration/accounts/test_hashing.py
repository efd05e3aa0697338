"""A flood of passwords: who gets no turn is told at once, at every door, and everything else goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.sessions import hashing_turns, throttles
from accounts.sessions.hashing_turns import TURNS, HashingTurns
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy
from tests.backends import counted_round_trips, counted_sql
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


@pytest.fixture(autouse=True)
def hashers_of_production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PASSWORD_HASHERS = ["accounts.people.passwords.OwaspArgon2"]
    monkeypatch.setattr(hashing_turns, "WAIT_SECONDS", 0.01)


@pytest.fixture
def crowd() -> Iterator[Any]:
    """Inside what it returns, another thread hashes and will not end. As many may wait as in production's process."""
    waiting = TURNS._waiting
    TURNS.let_wait(hashing_turns.WAITING)
    yield hashing_elsewhere
    TURNS.let_wait(waiting)


@contextmanager
def hashing_elsewhere() -> Iterator[None]:
    begun, end = Event(), Event()

    def hash_slowly() -> None:
        with TURNS.turn():
            begun.set()
            end.wait(60)

    with ThreadPoolExecutor(1) as pool:
        hashing = pool.submit(hash_slowly)
        assert begun.wait(60)
        try:
            yield
        finally:
            end.set()
        hashing.result(60)


def post(path: str, body: dict[str, str]) -> Any:
    return Client().post(path, body, content_type="application/json")


@pytest.mark.parametrize("limits", [True, False])
def test_every_door_that_hashes_answers_503_and_the_others_go_on(limits: bool, crowd: Any, settings: Settings) -> None:
    settings.RATE_LIMITS = limits
    person, staff = new_person(), new_person(staff=True)
    client, admin = ApiClient(person), Client(raise_request_exception=False)
    admin.force_login(staff)
    change = {"current_password": PASSWORD, "password": "another-horse-42"}
    form = {"old_password": PASSWORD, "new_password1": "another-horse-42", "new_password2": "another-horse-42"}
    with crowd():
        answers = [
            post("/api/v1/auth/token", {"username": person.username, "password": PASSWORD}),
            post("/api/v1/auth/token", {"username": "nobody_here", "password": PASSWORD}),
            post("/api/v1/auth/register", {"username": "fresh", "email": "f@example.org", "password": PASSWORD}),
            client.patch("/api/v1/me", change, "application/json"),
            client.patch("/api/v1/me", {"email": "x@example.org", "current_password": PASSWORD}, "application/json"),
        ]
        pages = [
            Client(raise_request_exception=False).post("/admin/login/", {"username": "boss", "password": PASSWORD}),
            admin.post("/admin/password_change/", form),
        ]
        assert client.get("/api/v1/me").status_code == 200
        assert client.get("/api/v1/feed/public").status_code == 200
    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "1"), answer.content
        assert answer["Content-Type"] == "application/problem+json"
    for page in pages:
        assert (page.status_code, page["Retry-After"]) == (503, "1")
        assert page["Content-Type"].startswith("text/html")
        assert b"try again" in page.content
    assert post("/api/v1/auth/token", {"username": person.username, "password": PASSWORD}).status_code == 200


def test_one_too_many_costs_no_round_trip_and_no_sql(
    crowd: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(hashing_turns, "WAIT_SECONDS", 60.0)
    person = new_person()
    with ThreadPoolExecutor(hashing_turns.WAITING) as pool, crowd():
        waiting = [pool.submit(run_in_turn) for _ in range(hashing_turns.WAITING)]
        while TURNS._present._value:
            pass
        with counted_sql("default") as statements, counted_round_trips() as trips:
            answer = post("/api/v1/auth/token", {"username": person.username, "password": PASSWORD})
        assert (answer.status_code, len(statements), len(trips)) == (503, 0, 0)
    for each in waiting:
        each.exception(60)


def run_in_turn() -> None:
    with TURNS.turn():
        pass


def test_a_guess_that_had_no_turn_is_none(crowd: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    person = new_person()
    settings.RATE_LIMITS = True
    monkeypatch.setattr(throttles, "SIGN_INS_BY_PAIR", Policy("sign-in-login", 2, 300))
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "rate:*"))[0]))
    body = {"username": person.username, "password": PASSWORD}
    with crowd():
        assert [post("/api/v1/auth/token", body).status_code for _ in range(5)] == [503] * 5
    assert post("/api/v1/auth/token", body).status_code == 200
    rate_limits._memory.storage.reset()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each turn that is taken."""
    found: list[int] = []
    original = HashingTurns._taken

    def counted(turns: HashingTurns) -> Any:
        found.append(1)
        return original(turns)

    monkeypatch.setattr(HashingTurns, "_taken", counted)
    return found


TYPED_OTHERWISE = "wrong-horse-4\uff12"
"""In a form of another keyboard a password is hashed twice: in a crowd, the second must not undo a guess's count."""


def test_a_guess_of_two_hashes_takes_one_turn(taken: list[int]) -> None:
    login = new_person("ada").username
    taken.clear()
    assert post("/api/v1/auth/token", {"username": login, "password": TYPED_OTHERWISE}).status_code == 401
    assert len(taken) == 1


def test_so_does_a_guess_at_the_old_password_in_the_admin(taken: list[int]) -> None:
    admin = Client()
    admin.force_login(new_person(staff=True))
    form = {"old_password": TYPED_OTHERWISE, "new_password1": "another-horse-42", "new_password2": "another-horse-42"}
    taken.clear()
    assert admin.post("/admin/password_change/", form).status_code == 200
    assert len(taken) == 1
