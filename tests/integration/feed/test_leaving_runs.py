"""Erasing goes on whoever is killed, away or at fault, in turns, and holds up nobody."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.models import User
from accounts.people.erasing import Piece, Step
from feed.leaving import saga
from feed.models import Leaving
from storage.errors import Unavailable
from storage.redis.count_cache import counts_of
from storage.stores import outbox
from tests.integration.feed.lives import a_life, erased, go_on, leave, long_gone, rebuilt, step_named, traces, withheld
from tests.people import new_person
from tests.work import every_open_order, work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing import erasing

pytestmark = pytest.mark.usefixtures("product", "no_moment")

ALL = [step.name for step in saga.registered_steps()]


class Died(BaseException):
    """A process that is killed: nothing of ours catches it."""


def test_an_index_that_is_away_holds_up_nothing_else() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    with patch("tweets.search.erasing.search_index", side_effect=Unavailable("search")):
        assert go_on() == 0
    row = Leaving.objects.get(pk=life.person.pk)
    assert (row.step, traces(life.person)) == ("search", ["search"])
    assert go_on() == 1


def test_killed_at_any_step_it_goes_on() -> None:
    """At each step of one erasing, twice: before its work, and between that and the note that it is done."""
    life = a_life()
    leave(life.person)
    begun = Counter[str]()

    def mortal(step: Step) -> Step:
        def erase(person_id: int, place: int) -> Piece:
            begun[step.name] += 1
            if begun[step.name] == 1:
                raise Died
            piece = step.erase(person_id, place)
            if begun[step.name] == 2:
                raise Died
            return piece

        return msgspec.structs.replace(step, erase=erase)

    long_gone(life.person)
    with patch.object(saga, "_steps", list(map(mortal, saga.registered_steps()))):
        for number, name in enumerate(name for name in ALL for _ in range(2)):
            with pytest.raises(Died):
                go_on()
            assert not erased(life.person)
            assert begun[name] == number % 2 + 1, f"{name} was left out"
            Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")
        go_on()
    assert erased(life.person)
    assert traces(life.person) == []


def test_a_killed_run_holds_its_claim_for_a_while_only() -> None:
    life = a_life()
    leave(life.person)
    with patch.object(saga.Run, "release"):
        saga.erase(life.person.id, seconds=0.0)
    assert saga.erase(life.person.id, seconds=10) is False
    assert Leaving.objects.get().step == "", "somebody is at it"
    Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")
    saga.erase(life.person.id, seconds=10)
    assert Leaving.objects.get().step == saga.PROOF


def test_a_run_that_lost_its_claim_stops() -> None:
    life = a_life()
    leave(life.person)
    run = saga._claim(life.person.id)
    assert run is not None
    Leaving.objects.update(claim="another's")
    run.do_a_piece()
    assert not run.has_more()
    assert Leaving.objects.get().step == ""


def test_two_at_once_do_no_harm() -> None:
    life = a_life(more_tweets=30)
    leave(life.person)
    withheld()
    with patch.object(erasing, "PAGE", 3), ThreadPoolExecutor(2) as threads:
        steps = [each for each in saga.registered_steps() if each.name not in {"keys"}]

        def all_of_it(_: int) -> None:
            for step in steps:
                place: int | None = 0
                while place is not None:
                    place = step.erase(life.person.id, place).rest

        list(threads.map(all_of_it, range(2)))
    work_off_everything()
    long_gone(life.person)
    go_on()
    assert traces(life.person) == []
    assert counts_of(life.friend.id, [FOLLOWERS, FOLLOWING]) == [0, 0]


def test_two_runs_at_once_do_no_harm_although_the_claim_has_ended() -> None:
    """Each takes the other's claim for ended: the same pieces are done by both."""
    life = a_life(more_tweets=10)
    leave(life.person)
    long_gone(life.person)
    with patch.object(erasing, "PAGE", 3), patch.object(saga, "CLAIM_SECONDS", 0), ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: run_for_itself(life.person), range(2)))
    Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")
    go_on()
    assert erased(life.person)
    assert traces(life.person) == []
    assert counts_of(life.friend.id, [FOLLOWERS, FOLLOWING]) == [0, 0]


def run_for_itself(person: User) -> None:
    try:
        saga.erase(person.id, seconds=20)
    finally:
        connections.close_all()


def test_a_big_account_goes_in_pieces() -> None:
    life = a_life(more_tweets=70)
    leave(life.person)
    pieces: list[int | None] = []
    step = step_named("tweets")

    def watched(person_id: int, place: int) -> Piece:
        piece = step.erase(person_id, place)
        pieces.append(piece.rest)
        return piece

    with patch.object(saga, "_steps", rebuilt(step, watched)):
        while saga.erase(life.person.id, seconds=0.05):
            pass
    assert len(pieces) == 4
    assert pieces[-1] is None
    assert Leaving.objects.get().erased["tweets"] == 74


@pytest.mark.parametrize("name", ["tweets", "followers", "notices", "keys"])
def test_a_backend_that_is_away_is_waited_for(name: str) -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)

    def away(_person: int, _place: int) -> Piece:
        raise Unavailable("store")

    with patch.object(saga, "_steps", rebuilt(step_named(name), away)):
        assert go_on() == 0
    row = Leaving.objects.get()
    assert (row.step, row.tries) == (name if name != ALL[0] else "", 0)
    assert "does not answer" in row.error
    assert go_on() == 1
    assert Leaving.objects.get().error == ""


def test_what_fails_is_told_and_tried_for_ever_and_holds_up_nobody() -> None:
    life, other = a_life(), new_person()
    for each in (life.person, other):
        leave(each)
        long_gone(each)
    step = step_named("likes")

    def broken(person_id: int, place: int) -> Piece:
        if person_id == life.person.id:
            raise ValueError("no such thing")
        return step.erase(person_id, place)

    with patch.object(saga, "_steps", rebuilt(step, broken)):
        assert go_on() == 1
        assert erased(other)
        go_on()
    row = Leaving.objects.get(pk=life.person.pk)
    assert (row.step, row.tries, row.error) == ("likes", 2, "ValueError: no such thing")
    assert go_on() == 1


def test_the_order_puts_them_first_and_does_nothing_itself() -> None:
    first, life = new_person(), a_life()
    leave(first)
    leave(life.person)
    order = [each for each in every_open_order() if each.kind == "leave"][-1]
    for each in (life.person, first):
        saga.erase(each.id, seconds=0.0)
    assert saga._waiting() == [life.person.id, first.id]
    Leaving.objects.update(due_at=timezone.now() + timedelta(minutes=1))
    assert saga._waiting() == []
    Leaving.objects.filter(pk=first.pk).update(due_at=None)
    saga.handle(order)
    assert outbox().open_order(order.id) is None
    assert saga._waiting() == [life.person.id, first.id]
    assert {each.step for each in Leaving.objects.all()} == {""}, "nothing was erased"


def test_the_task_leaves_its_worker_to_others_after_a_moment() -> None:
    """The same worker sweeps, and sends letters."""
    people = [new_person() for _ in range(3)]
    for each in people:
        leave(each)
    began = time.monotonic()
    with patch.object(saga, "_steps", [Step("endless", lambda *_: slow(1), lambda _: True)]):
        saga.erase_all()
    assert time.monotonic() - began < saga.RUN_SECONDS + 0.5
    beat: Any = settings.CELERY_BEAT_SCHEDULE["erase_leavers"]
    assert beat["schedule"] >= saga.RUN_SECONDS * 2


def test_big_accounts_hold_up_nobody_who_left_after_them() -> None:
    """A run has time for two of them, and takes whom nobody has worked on for longest."""
    big, small = [new_person() for _ in range(5)], new_person()
    for each in (*big, small):
        leave(each)
    worked: list[int] = []

    def erase(person_id: int, _place: int) -> Piece:
        worked.append(person_id)
        return Piece() if person_id == small.id else slow(1)

    with (
        patch.object(saga, "_steps", [Step("endless", erase, lambda _: True)]),
        patch.multiple(saga, RUN_SECONDS=0.2, A_TURN_SECONDS=0.1),
    ):
        for _ in range(5):
            saga.erase_all()
    assert {*worked} == {each.id for each in (*big, small)}
    assert worked[0] == big[0].id


def test_what_failed_is_tried_again_a_while_later() -> None:
    person = new_person()
    leave(person)

    def broken(_person: int, _place: int) -> Piece:
        raise ValueError("no such thing")

    with patch.object(saga, "_steps", [Step("likes", broken, lambda _: True)]):
        for _ in range(3):
            saga.erase_all()
        assert Leaving.objects.get().tries == 1
        Leaving.objects.update(due_at=timezone.now())
        saga.erase_all()
    assert Leaving.objects.get().tries == 2


def test_what_fails_beside_the_pieces_holds_up_nobody_either() -> None:
    first, other = new_person(), new_person()
    for each in (first, other):
        leave(each)
        long_gone(each)
    claims = saga._claim

    def broken(person_id: int) -> saga.Run | None:
        if person_id == first.id:
            raise ValueError("no such row")
        return claims(person_id)

    with patch.object(saga, "_claim", broken):
        go_on()
    assert erased(other)


def slow(rest: int) -> Piece:
    time.sleep(0.1)
    return Piece(1, rest)


def test_nobody_who_is_here_is_erased() -> None:
    life = a_life()
    assert saga.erase(life.person.id, seconds=10) is False
    assert Leaving.objects.count() == 0
    assert go_on() == 0
    assert [*tweet_store().by_author(life.person.id, replies=True, limit=10)]


def test_who_is_put_first_while_a_run_is_at_them_is_next_again() -> None:
    """As the desk does: what fails now would wait for a minute."""
    person = new_person()
    leave(person)
    [order] = [each for each in every_open_order() if each.kind == "leave"]

    def broken(_person: int, _place: int) -> Piece:
        saga.handle(order)
        raise ValueError("no such thing")

    with patch.object(saga, "_steps", [Step("likes", broken, lambda _: True)]):
        saga.erase(person.id, seconds=1)
        assert saga._waiting() == [person.id]
    with patch.object(saga, "_steps", [Step("likes", lambda *_: Piece(1 // 0), lambda _: True)]):
        saga.erase(person.id, seconds=1)
    assert saga._waiting() == [], "and only once"
    assert Leaving.objects.get().tries == 2
