"""Leaving: everything of a person goes, in pieces that may be cut off anywhere, and a proof says so."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, patch

import msgspec
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin import site
from django.db import connections, router
from django.utils import timezone

from accounts.graph import follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.erasing import newest
from accounts.graph.kinds import FOLLOW
from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people import confirming, selectors, services
from accounts.people.erasing import Piece, Step
from accounts.people.leaving import is_emptied, is_leaving
from fanout.delivery import celebrities
from feed.leaving import saga
from feed.models import Leaving, Report
from storage.cassandra import session
from storage.cassandra.session import Row
from storage.errors import Forbidden, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.models import Edge
from storage.ports.associations import End
from storage.redis.count_cache import counts_of
from storage.redis.node import timeline_node
from storage.redis.shards import user_tag
from storage.stores import outbox
from tests.integration.accounts.admins import post as admin_post
from tests.integration.accounts.admins import signed_in
from tests.integration.feed.lives import a_life, erased, go_on, leave, long_gone, traces, withheld
from tests.integration.feed.reading import all_keys, operator
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import guards_have_ended, home, post, seen, viewer
from tests.people import PASSWORD, ApiClient, new_person
from tests.work import every_open_order, work_off_everything
from tweets.models import TweetRow
from tweets.stores.port import tweet_store
from tweets.writing import erasing
from tweets.writing.liking import like
from tweets.writing.posting import create_tweet, delete_tweet

pytestmark = pytest.mark.usefixtures("product", "no_moment")

ALL = [step.name for step in saga.registered_steps()]


class Died(BaseException):
    """A process that is killed: nothing of ours catches it."""


def rebuilt(step: Step, erase: Callable[[int, int], Piece]) -> list[Step]:
    return [msgspec.structs.replace(each, erase=erase) if each is step else each for each in saga.registered_steps()]


def step_named(name: str) -> Step:
    return next(each for each in saga.registered_steps() if each.name == name)


def test_a_life_leaves_traces_in_every_step_that_a_test_can_make_one_of() -> None:
    """Else the proof would prove nothing."""
    life = a_life()
    only_once_they_left = {"withheld from tweets", "withheld retweets", "withheld from people"}
    assert {*traces(life.person)} == {*ALL} - only_once_they_left


def test_everything_goes_and_the_proof_finds_nothing() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    assert go_on() == 1
    assert erased(life.person)
    assert traces(life.person) == []
    row = Leaving.objects.get(pk=life.person.pk)
    assert (row.step, row.tries, row.error) == (saga.PROOF, 0, "")
    assert row.erased["tweets"] == 4
    assert not is_leaving().exists()


def test_what_others_see_is_as_if_they_had_never_been() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    go_on()
    work_off_everything()
    guards_have_ended()
    assert counts_of(life.friend.id, [FOLLOWERS, FOLLOWING]) == [0, 0]
    shown = seen(life.friends_tweet).counts
    assert (shown.replies, shown.quotes, shown.likes, shown.retweets) == (0, 0, 0, 0)
    assert not {*home(life.friend)} & {*life.tweets}
    assert not {*tweet_store().tagged("engines", limit=100)} & {*life.tweets}


def test_of_their_tweets_the_words_are_gone() -> None:
    life = a_life()
    leave(life.person)
    saga.erase(life.person.id, seconds=10)
    rows = tweet_store().get_many(life.tweets)
    assert all(row.deleted_by_author and not row.text and not row.mentioned_ids for row in rows.values())
    assert len(rows) == len(life.tweets)


def test_the_row_keeps_the_name_and_nothing_else() -> None:
    life = a_life()
    email = life.person.email
    leave(life.person)
    row = User.objects.get(pk=life.person.pk)
    assert (row.username, row.display_name, row.bio, row.avatar_url) == (life.person.username,) * 2 + ("", "")
    assert not User.objects.with_email(email).exists()
    assert row.email.endswith("@left.invalid")
    assert not row.has_usable_password()
    assert row.is_active is False
    new = services.register(username=f"{life.person.username}x"[:30], email=email, password="correct-horse-41")
    assert new.email == email, "the address is free again"


@pytest.mark.parametrize("changed", [{"bio": "Back."}, {"display_name": "Ada"}, {"email": "ada@example.org"}])
def test_what_was_written_into_the_row_all_the_same_is_found_and_emptied(changed: dict[str, str]) -> None:
    life = a_life()
    leave(life.person)
    assert "account" not in traces(life.person)
    User.objects.filter(pk=life.person.pk).update(**changed)
    assert "account" in traces(life.person)
    long_gone(life.person)
    assert go_on() == 1
    row = User.objects.get(pk=life.person.pk)
    assert is_emptied(row)
    assert row.left_at is not None


WRITERS: dict[str, Callable[[User, User], object]] = {
    "profile": lambda person, _: services.update_profile(person.id, services.ProfileChange(bio="Back.")),
    "address": lambda person, _: services.update_profile(
        person.id, services.ProfileChange(email="back@example.org", current_password=PASSWORD)
    ),
    "verified": lambda person, staff: services.set_verified(person, True, by=staff),
    "admin": lambda person, staff: admin_post(
        signed_in(staff),
        f"/admin/accounts/user/{person.pk}/change/",
        {"display_name": "Back", "email": "back@example.org", "bio": "Back."},
    ),
    "password": lambda person, staff: admin_post(
        signed_in(staff),
        f"/admin/accounts/user/{person.pk}/password/",
        {"password1": "another-horse-42", "password2": "another-horse-42", "usable_password": "true"},
    ),
}


@on_one_store
@pytest.mark.parametrize("writer", WRITERS)
def test_a_change_under_way_writes_nothing_into_the_row_of_who_left_meanwhile(
    writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They leave after the change has read them or looked whether they may be changed, and before it writes."""
    person, staff = new_person(), new_person(staff=True)
    reads = selectors.get_user

    def left_since(user_id: int) -> User:
        read = reads(user_id)
        leave(person)
        return read

    monkeypatch.setattr(services, "get_user", left_since)
    monkeypatch.setattr(site._registry[User], "has_change_permission", lambda *_: True)
    if writer not in {"profile", "address"}:
        leave(person)
    with suppress(Forbidden):
        WRITERS[writer](person, staff)
    row = User.objects.get(pk=person.pk)
    assert row.left_at is not None
    assert is_emptied(row)


def test_no_column_of_the_row_says_what_a_new_one_does_not() -> None:
    life = a_life()
    services.update_profile(life.person.id, services.ProfileChange(protected=True))
    leave(life.person)
    new, row = new_person(), User.objects.get(pk=life.person.pk)
    of_their_own = {"id", "username", "display_name", "email", "password", "security_stamp"}
    of_leaving = {"left_at", "suspended_at"}
    columns = {each.attname for each in User._meta.concrete_fields}
    told = {each for each in columns if getattr(row, each) != getattr(new, each)}
    assert told <= of_their_own | of_leaving


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


def test_an_index_that_is_away_holds_up_nothing_else() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    with patch("tweets.search.erasing.search_index", side_effect=Unavailable("search")):
        assert go_on() == 0
    row = Leaving.objects.get(pk=life.person.pk)
    assert (row.step, traces(life.person)) == ("search", ["search"])
    assert go_on() == 1


def test_what_was_reported_stays_without_who_did_it() -> None:
    life = a_life()
    report = Report.objects.get(reporter=life.person)
    leave(life.person)
    saga.erase(life.person.id, seconds=10)
    report.refresh_from_db()
    assert (report.reporter, report.comment) == (None, "Buy now!")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("after_the_work", [False, True])
def test_killed_at_any_step_it_goes_on(name: str, after_the_work: bool) -> None:
    life = a_life()
    leave(life.person)
    withheld()
    step, died = step_named(name), list[Piece | None]()

    def die(person_id: int, place: int) -> Piece:
        if died:
            return step.erase(person_id, place)
        died.append(step.erase(person_id, place) if after_the_work else None)
        raise Died

    long_gone(life.person)
    with patch.object(saga, "_steps", rebuilt(step, die)), pytest.raises(Died):
        go_on()
    assert died
    assert not erased(life.person)
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


@pytest.mark.parametrize("has_left", [True, False])
def test_what_staff_delete_meanwhile_loses_its_words_as_well(has_left: bool) -> None:
    life, staff = a_life(), new_person(staff=True)
    if has_left:
        leave(life.person)
    delete_tweet(tweet_id=life.tweets[0], viewer=viewer(staff), reason="spam")
    row = tweet_store().get_many(life.tweets)[life.tweets[0]]
    assert row.deleted
    assert (row.text == "") is has_left


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


def test_no_order_of_erasing_names_them_as_a_reader() -> None:
    """Whose graph version an order raises late would have a key in Redis again."""
    life = a_life()
    leave(life.person)
    withheld()
    with patch.object(follows, "write", wraps=follows.write) as write:
        saga.erase(life.person.id, seconds=20)
    readers = {each for call in write.call_args_list for each in call.kwargs["readers"]}
    assert life.friend.id in readers
    assert life.person.id not in readers


def test_a_crossing_under_way_leaves_nothing_behind() -> None:
    """It has begun, and its order writes after all was erased."""
    person = new_person()
    celebrities.begin_pulling(person.id)
    since = celebrities.delivery_of(person.id).since
    assert since is not None
    celebrities.forget(person.id)
    celebrities._write(celebrities._edge(person.id, celebrities.PULLED_EDGE, since, present=True))
    celebrities._write(celebrities._edge(person.id, celebrities.PULLING_ENDED_EDGE, since, present=True))
    assert not celebrities.is_known(person.id)


def test_followers_go_first_so_that_a_deletion_is_worked_off_in_no_home_of_theirs() -> None:
    life = a_life()
    leave(life.person)
    step, followed = step_named("tweets"), list[int]()

    def watched(person_id: int, place: int) -> Piece:
        followed.extend(each.source for each in newest(person_id, FOLLOW, End.TARGET, before=MAX_ID, limit=10))
        return step.erase(person_id, place)

    assert newest(life.person.id, FOLLOW, End.TARGET, before=MAX_ID, limit=10)
    with patch.object(saga, "_steps", rebuilt(step, watched)):
        saga.erase(life.person.id, seconds=20)
    assert followed == []


def test_what_is_listed_without_a_row_or_deleted_already_leaves_the_listings() -> None:
    life = a_life()
    leave(life.person)
    store = tweet_store()
    missing, *_ = ids = store.by_author(life.person.id, replies=True, limit=10)
    rows = store.get_many(ids)
    flagged = {each: msgspec.structs.replace(rows[each], deleted_by=life.person.id) for each in ids if each != missing}
    with patch.object(erasing, "tweet_store") as patched:
        patched.return_value = Mock(wraps=store, get_many=lambda _: flagged)
        step_named("tweets").erase(life.person.id, 0)
    assert not store.by_author(life.person.id, replies=True, limit=10)


def slow(rest: int) -> Piece:
    time.sleep(0.1)
    return Piece(1, rest)


def test_nobody_who_is_here_is_erased() -> None:
    life = a_life()
    assert saga.erase(life.person.id, seconds=10) is False
    assert Leaving.objects.count() == 0
    assert go_on() == 0
    assert [*tweet_store().by_author(life.person.id, replies=True, limit=10)]


def test_who_has_left_is_not_restored_and_a_suspension_changes_nothing() -> None:
    life = a_life()
    leave(life.person)
    person = User.objects.get(pk=life.person.pk)
    with pytest.raises(Forbidden):
        services.restore(person, by=operator())
    with pytest.raises(Refused):
        services.suspend(person, by=operator(), until=person.left_at, may_shorten=True)
    assert services.end_suspensions() == 0
    person.refresh_from_db()
    assert (person.suspended_at, person.suspended_until) == (person.left_at, None)


def test_marks_of_withholding_go_too() -> None:
    """Whoever leaves is first left out of counts as somebody suspended is; those marks name them."""
    life = a_life()
    leave(life.person)
    withheld()
    assert {"withheld from tweets", "withheld from people"} <= {*traces(life.person)}
    saga.erase(life.person.id, seconds=10)
    assert not {"withheld from tweets", "withheld from people"} & {*traces(life.person)}


def test_an_author_who_was_pulled_is_forgotten_there() -> None:
    person = new_person()
    celebrities.begin_pulling(person.id)
    leave(person)
    assert "delivery" in traces(person)
    saga.erase(person.id, seconds=10)
    assert traces(person) == []
    assert celebrities.delivery_of(person.id).since is None


STAYS = {
    "accounts_user": "the emptied row",
    "feed_leaving": "how far erasing came",
    "accounts_accountchange": "for six hours, for a Redis that was away",
    "accounts_staffaction": "the operator's",
    "feed_report": "what was reported of them",
    "tweets_tweetrow": "deleted, without words; and mentions in others' tweets",
    "storage_edge": "removed: its last operation, as Cassandra keeps it for 30 days",
    "storage_outboxorder": "until their minute is forgotten",
    "storage_outboxattempt": "the same",
    "storage_outboxpart": "the same",
}
"""As ADR 054 lists it."""
KEYS_THAT_STAY = ("account", "name", "told", "gone", "live")
"""An account as it is now, a name, guards and marks of minutes."""


def rows_that_name(person: User) -> dict[str, list[tuple[object, ...]]]:
    """Every row of both databases with the person's id in it, by table; looked for without knowing any table."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for model in apps.get_models():
        rows = model._base_manager.using(router.db_for_read(model)).values_list()
        named = [row for row in rows if str(person.id) in str(row)]
        if named:
            found[model._meta.db_table] = named
    return found


def keys_that_name(person: User) -> set[str]:
    return {key for key in all_keys() if str(person.id) in key and key.split(":")[1] not in KEYS_THAT_STAY}


@on_one_store
def test_without_knowing_any_step_nothing_else_names_them() -> None:
    """A table or a key that no step knows of is found here, if a life has something of it."""
    life = a_life()
    ApiClient(life.person).get("/api/v1/me/notifications/unread")
    ApiClient(life.person).get("/api/v1/me/export")
    assert {*rows_that_name(life.person)} - {*STAYS}, "they are looked for as they stand"
    assert keys_that_name(life.person)
    leave(life.person)
    long_gone(life.person)
    go_on()
    work_off_everything()
    left = rows_that_name(life.person)
    assert {*left} - {*STAYS} == set()
    assert keys_that_name(life.person) == set()
    edges = Edge.objects.filter(active=True)
    assert not edges.filter(source=life.person.id).exists()
    assert not edges.filter(target=life.person.id).exists()
    assert not Report.objects.filter(reporter_id=life.person.id).exists()
    own = TweetRow.objects.filter(author=life.person.id)
    assert {(row.text, row.author_deleted_op is not None) for row in own} == {("", True)}
    assert {row.entities for row in own if row.retweet_of is None} == {"{}"}
    words = str(left)
    for word in ("Notes on the Engine", "of #engines", "an answer", "a quote", life.person.email):
        assert word not in words


STAYS_IN_CASSANDRA = {
    "tweets": "deleted, without words; and mentions in others' tweets",
    "deletions": "for seven days",
    "author_months": "a number and a month",
    "notice_months": "a number and a month",
    "edge_months": "a number and a month",
    "edges_out": "removed: its last operation, for 30 days",
    "outbox": "until their minute is forgotten",
}
"""As ADR 054 lists it."""


def rows_of_cassandra_that_name(person: User) -> dict[str, list[Row]]:
    """As `rows_that_name`, of every table of the keyspace."""
    keyspace = settings.CASSANDRA_KEYSPACE
    tables = session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", (keyspace,))
    found = {}
    for (table,) in tables:
        named = [row for row in session.execute(f"SELECT * FROM {table}") if str(person.id) in str(row)]  # noqa: S608
        if named:
            found[table] = named
    return found


@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
def test_without_knowing_any_step_no_table_of_cassandra_names_them_but_those_that_are_listed() -> None:
    life = a_life()
    assert {*rows_of_cassandra_that_name(life.person)} - {*STAYS_IN_CASSANDRA}, "they are looked for as they stand"
    leave(life.person)
    long_gone(life.person)
    go_on()
    work_off_everything()
    left = rows_of_cassandra_that_name(life.person)
    assert " ".join(sorted({*left} - {*STAYS_IN_CASSANDRA})) == ""
    words = str(left)
    for word in ("Notes on the Engine", "of #engines", "an answer", "a quote", life.person.email):
        assert word not in words
