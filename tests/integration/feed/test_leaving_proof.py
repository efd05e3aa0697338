"""The proof that nothing names who has left: what it waits for, what it finds, and what counts as progress."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken

from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people import confirming
from accounts.people.erasing import Piece, Step, row_steps
from feed.leaving import saga
from feed.leaving.steps import LISTED_KINDS
from feed.models import Leaving
from feed.moderation.reports import report_person
from storage.ports.notices import Notice
from storage.redis.node import timeline_node
from storage.redis.shards import user_tag
from storage.stores import notices
from tests.ids import new_id
from tests.integration.feed.lives import a_life, erased, go_on, leave, long_gone, step_named, traces, withheld
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.stores.port import tweet_store
from tweets.writing.liking import like
from tweets.writing.posting import create_tweet

STORES = ("embedded", "cassandra")
pytestmark = pytest.mark.usefixtures("product", "no_moment")


def test_who_tries_to_sign_in_by_the_name_that_stays_holds_up_no_proof() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    key = f"{user_tag(life.person.id)}:guesses:{life.person.id}"
    timeline_node().round_trip(("SET", key, b"1", "EX", 300))
    assert saga.traces_of(life.person.id) != []
    assert go_on() == 1
    timeline_node().round_trip(("SET", key, b"1", "EX", 300))
    assert traces(life.person) == []


def test_a_letter_that_was_asked_for_at_that_very_moment_goes_as_well() -> None:
    life = a_life()
    leave(life.person)
    assert "letters" not in traces(life.person)
    confirming.ask_again(life.person.pk)
    assert "letters" in traces(life.person)
    long_gone(life.person)
    assert go_on() == 1
    assert not AddressLetter.objects.filter(user_id=life.person.pk).exists()


def test_the_proof_waits_for_what_was_let_in_and_finds_it() -> None:
    """A tweet that was under way when its author left appears behind the step that would have deleted it."""
    life = a_life()
    leave(life.person)
    for _ in range(2):
        withheld()
        assert saga.erase(life.person.id, seconds=10) is False
    assert not erased(life.person), "the proof has to wait"
    late = post(life.person, "late")
    long_gone(life.person)
    go_on()
    assert erased(life.person)
    assert Leaving.objects.get().rounds == 1
    assert tweet_store().get_many([late])[late].text == ""


def test_the_proof_waits_for_what_was_ordered_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has liked a tweet of theirs; a worker says so when everything was erased."""
    life = a_life()
    liker = new_person()
    like(viewer=viewer(liker), tweet_id=life.tweets[0])
    monkeypatch.setattr(saga, "PROVED_AFTER_US", 0)
    leave(life.person)
    assert saga.erase(life.person.id, seconds=10) is False
    assert not erased(life.person)
    withheld()
    assert saga.erase(life.person.id, seconds=10) is None
    assert traces(life.person) == []


@pytest.mark.parametrize("proved", [False, True])
def test_whoever_mentions_them_afterwards_writes_no_new_notice_of_theirs(proved: bool) -> None:
    """The name stays theirs, so that a mention finds them for ever."""
    life, other = a_life(), new_person()
    leave(life.person)
    if proved:
        long_gone(life.person)
        assert go_on() == 1
    else:
        withheld()
        saga.erase(life.person.id, seconds=10)
    post(other, f"where is @{life.person.username}?")
    create_tweet(author=viewer(other), text="and that?", quote_of=post(other, f"@{life.person.username} again"))
    withheld()
    assert traces(life.person) == []


def test_traces_that_never_go_end_a_run() -> None:
    person = new_person()
    leave(person)
    long_gone(person)
    stubborn = Step("stubborn", lambda _person, _place: Piece(), lambda _person: True)
    with patch.object(saga, "_steps", [stubborn]):
        assert go_on() == 0
        row = Leaving.objects.get()
        assert (row.rounds, row.step) == (saga.ROUNDS_A_RUN, "stubborn")
        go_on()
    assert Leaving.objects.get().moved_at == row.moved_at, "the alert for what stands still hears of it"


def test_what_goes_round_without_getting_anywhere_is_no_progress() -> None:
    """A piece that says it has removed something, again and again, and removes nothing."""
    person = new_person()
    leave(person)
    long_gone(person)
    stuck = [
        Step("stuck", lambda _person, _place: Piece(3), lambda _: True),
        Step("stays", lambda _person, _place: Piece(1), lambda _: True),
    ]
    with patch.object(saga, "_steps", stuck):
        go_on()
        long_ago = timezone.now() - timedelta(hours=2)
        Leaving.objects.update(moved_at=long_ago, removed_at=None)
        go_on()
        assert Leaving.objects.get().rounds > 1
        assert Leaving.objects.get().moved_at == long_ago
        Leaving.objects.update(removed_at=None, step=saga.PROOF)
        with patch.object(saga, "_steps", [*stuck[:1], Step("stays", stuck[1].erase, lambda _: False)]):
            saga.erase(person.id, seconds=1)
    assert Leaving.objects.get().moved_at > long_ago, "fewer traces than before"


def test_a_piece_further_down_is_progress_before_the_first_proof() -> None:
    person = new_person()
    leave(person)
    places = iter([9, 5, 5])
    with patch.object(saga, "_steps", [Step("long", lambda *_: Piece(1, next(places)), lambda _: True)]):
        run = saga._claim(person.id)
        assert run is not None
        moved = []
        for _ in range(3):
            Leaving.objects.update(moved_at="2020-01-01T00:00:00Z")
            run.do_a_piece()
            moved.append(Leaving.objects.get().moved_at.year > 2020)
    assert moved == [True, True, False]


def test_who_lost_their_claim_at_the_end_ends_nothing() -> None:
    person = new_person()
    leave(person)
    long_gone(person)
    saga.erase(person.id, seconds=10)
    Leaving.objects.update(step=saga.PROOF, removed_at=None)
    User.objects.filter(pk=person.pk).update(erased_at=None)
    run = saga._claim(person.id)
    assert run is not None
    Leaving.objects.update(claim="another's")
    run.do_a_piece()
    assert not erased(person)
    assert not run.is_over
    assert not run.has_more()


def test_the_proof_waits_for_what_erasing_itself_has_ordered() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    assert saga.erase(life.person.id, seconds=20) is False
    row = Leaving.objects.get()
    assert (row.step, erased(life.person)) == (saga.PROOF, False)
    assert row.removed_at is not None
    Leaving.objects.update(removed_at=timezone.now() - timedelta(microseconds=saga.PROVED_AFTER_US))
    saga.erase(life.person.id, seconds=20)
    assert not erased(life.person), "orders are open"
    withheld()
    saga.erase(life.person.id, seconds=20)
    assert erased(life.person)


@pytest.mark.parametrize("name", ["tokens", "reports", "notices"])
def test_steps_without_a_place_tell_how_they_come_nearer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the alert would hear that nothing moves, for as long as they take."""
    person = new_person()
    for each in ("accounts.people.erasing.ROWS_A_PIECE", *(f"storage.{store}.notices.FORGOTTEN" for store in STORES)):
        monkeypatch.setattr(each, 2)
    for _ in range(7):
        AuthToken.objects.create(user=person)
        report_person(by=viewer(person), username=new_person().username, reason="spam", comment="")
        notices().add([Notice(person.id, LISTED_KINDS[0], new_id(), new_id())])
    leave(person)
    AuthToken.objects.bulk_create(AuthToken(digest=f"{number}", user=person) for number in range(7))
    step, moved = step_named(name), list[bool]()
    with patch.object(saga, "_steps", [step]):
        run = saga._claim(person.id)
        assert run is not None
        while run.step == step.name:
            Leaving.objects.update(moved_at="2020-01-01T00:00:00Z")
            run.do_a_piece()
            moved.append(Leaving.objects.get().moved_at.year > 2020)
    assert len(moved) >= 4
    assert all(moved)


def test_a_table_from_which_nothing_goes_makes_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.people.erasing.ROWS_A_PIECE", 1)
    person = new_person()
    for _ in range(2):
        TOTPDevice.objects.create(user=person, name="authenticator")
    stuck = row_steps("stuck", lambda of: TOTPDevice.objects.filter(user_id=of), lambda rows: rows.count())
    assert [stuck.erase(person.id, place) for place in (0, 2, 2)] == [Piece(1, 2)] * 3
