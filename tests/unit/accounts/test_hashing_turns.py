"""How many passwords are hashed at a time, and what happens to who is one too many."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.contrib.auth.hashers import check_password, make_password
from pytest_django.fixtures import Settings

from accounts.people import passwords
from accounts.sessions import hashing_turns
from accounts.sessions.hashing_turns import HashingTurns
from storage.errors import Crowded, Unavailable


@contextmanager
def held(turns: HashingTurns, *, waiting: int) -> Iterator[threading.Event]:
    """One hashes until the event, and so many wait behind it."""
    begun, go = threading.Event(), threading.Event()

    def hash_slowly() -> None:
        with turns.turn():
            begun.set()
            go.wait(60)

    def hash_quickly() -> None:
        with turns.turn():
            pass

    with ThreadPoolExecutor(waiting + 1) as pool:
        try:
            ended = [pool.submit(hash_slowly)]
            assert begun.wait(60)
            ended += [pool.submit(hash_quickly) for _ in range(waiting)]
            until(lambda: turns._present._value == turns._waiting - waiting)
            yield go
        finally:
            go.set()
        for each in ended:
            each.result(60)


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def test_who_has_the_turn_has_it_for_a_second_hash() -> None:
    """Else a guess of two hashes might be looked at, and taken back for want of a turn for the second."""
    turns = HashingTurns(at_once=1, waiting=0)
    with turns.turn():
        with turns.turn():
            pass
        with ThreadPoolExecutor(1) as pool, pytest.raises(Crowded):
            pool.submit(lambda: turns.turn().__enter__()).result(60)
    with turns.turn():
        pass


def test_one_too_many_is_told_at_once() -> None:
    turns = HashingTurns(at_once=1, waiting=2)
    with held(turns, waiting=2):
        began = time.monotonic()
        with pytest.raises(Crowded), turns.turn():
            pass
        assert time.monotonic() - began < hashing_turns.WAIT_SECONDS / 2
    with turns.turn():
        pass


def test_who_waits_has_a_turn_or_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing_turns, "WAIT_SECONDS", 0.05)
    turns = HashingTurns(at_once=1, waiting=1)
    with held(turns, waiting=0) as go:
        with pytest.raises(Crowded), turns.turn():
            pass
        monkeypatch.setattr(hashing_turns, "WAIT_SECONDS", 60.0)
        go.set()
        with turns.turn():
            pass


def test_a_turn_is_given_back_whatever_happens_in_it() -> None:
    turns = HashingTurns(at_once=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError
    with turns.turn():
        pass


def test_a_forked_child_has_every_turn() -> None:
    turns = HashingTurns(at_once=1, waiting=0)
    with held(turns, waiting=0):
        turns.start_anew()
        with turns.turn():
            pass


def test_it_is_a_backend_that_does_not_answer_to_whoever_does_not_know_it() -> None:
    refused = Crowded("signing in")
    assert isinstance(refused, Unavailable)
    assert refused.retry_after_seconds == 1
    assert "signing in" in refused.message


OF_PRODUCTION = ["accounts.people.passwords.OwaspArgon2", "accounts.people.passwords.BroughtAlong"]


@pytest.mark.parametrize("hasher", OF_PRODUCTION)
def test_every_hash_of_production_takes_a_turn(
    hasher: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, checked, and replaced by a newer one; never two turns within each other, for which there are none."""
    settings.PASSWORD_HASHERS = [hasher, *(each for each in OF_PRODUCTION if each != hasher)]
    monkeypatch.setattr(passwords, "TURNS", turns := HashingTurns(at_once=1, waiting=0))
    encoded = make_password("correct-horse-41")
    assert check_password("correct-horse-41", encoded)
    assert not check_password("another-horse-41", encoded)
    with held(turns, waiting=0):
        with pytest.raises(Crowded):
            make_password("correct-horse-41")
        with pytest.raises(Crowded):
            check_password("correct-horse-41", encoded)


def test_no_other_hasher_is_used() -> None:
    """Each of production's is one of ours, which take turns."""
    settings_file = (passwords.__file__ or "").replace("accounts/people/passwords.py", "config/settings.py")
    with open(settings_file) as file:
        text = file.read()
    block = text[text.index("PASSWORD_HASHERS = [") :].split("]")[0]
    assert [line.strip(' ",') for line in block.splitlines()[1:] if line.strip()] == OF_PRODUCTION
