"""Leaving: everything of a person goes, in pieces that may be cut off anywhere, and a proof says so."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import msgspec
import pytest
from django.apps import apps
from django.db import router

from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.models import User
from accounts.people import services
from accounts.people.erasing import Piece, Step
from accounts.people.leaving import to_be_erased
from fanout.delivery import celebrities
from feed.leaving import saga
from feed.models import Leaving, Report
from storage.errors import Forbidden, Unavailable
from storage.models import Edge
from storage.redis.count_cache import counts_of
from storage.stores import outbox
from tests.integration.feed.lives import a_life, erased, leave, long_gone, traces, withheld
from tests.integration.feed.reading import all_keys, operator
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import guards_have_ended, home, post, seen, viewer
from tests.people import ApiClient, new_person
from tests.work import every_open_order, work_off_everything
from tweets.models import TweetRow
from tweets.stores.port import tweet_store
from tweets.writing import erasing
from tweets.writing.liking import like

pytestmark = pytest.mark.usefixtures("product", "no_moment", "unhurried")

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
    never = {"authenticators", "recovery codes", "delivery", "withheld from tweets", "withheld retweets"}
    never |= {"withheld from people", "withheld people"}
    assert {*traces(life.person)} == {*ALL} - never


def test_everything_goes_and_the_proof_finds_nothing() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    assert saga.erase_all() == 1
    assert erased(life.person)
    assert traces(life.person) == []
    row = Leaving.objects.get(pk=life.person.pk)
    assert (row.step, row.tries, row.error) == (saga.PROOF, 0, "")
    assert row.erased["tweets"] == 4
    assert to_be_erased(10) == []


def test_what_others_see_is_as_if_they_had_never_been() -> None:
    life = a_life()
    leave(life.person)
    long_gone(life.person)
    saga.erase_all()
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
        saga.erase_all()
    assert died
    assert not erased(life.person)
    Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")
    saga.erase_all()
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
    saga.erase_all()
    assert traces(life.person) == []
    assert counts_of(life.friend.id, [FOLLOWERS, FOLLOWING]) == [0, 0]


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
    saga.erase_all()
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
    assert "notices" not in traces(life.person)
    withheld()
    assert traces(life.person), "it has written"
    assert saga.erase(life.person.id, seconds=10) is None
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
        assert saga.erase_all() == 0
    row = Leaving.objects.get()
    assert (row.step, row.tries) == (name if name != ALL[0] else "", 0)
    assert "does not answer" in row.error
    assert saga.erase_all() == 1
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
        assert saga.erase_all() == 1
        assert erased(other)
        saga.erase_all()
        assert Leaving.objects.get(pk=life.person.pk).tries == 1, "it rests for a minute"
        Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")
        saga.erase_all()
    Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")
    row = Leaving.objects.get(pk=life.person.pk)
    assert (row.step, row.tries, row.error) == ("likes", 2, "ValueError: no such thing")
    assert saga.erase_all() == 1


def test_traces_that_never_go_end_a_run() -> None:
    person = new_person()
    leave(person)
    long_gone(person)
    stubborn = Step("stubborn", lambda _person, _place: Piece(), lambda _person: True)
    with patch.object(saga, "_steps", [stubborn]):
        assert saga.erase_all() == 0
        row = Leaving.objects.get()
        assert (row.rounds, row.step) == (saga.ROUNDS_A_RUN, "stubborn")
        saga.erase_all()
    assert Leaving.objects.get().moved_at == row.moved_at, "the alert for what stands still hears of it"


def test_the_order_begins_at_once_and_holds_nothing_up() -> None:
    life = a_life()
    leave(life.person)
    [order] = [each for each in every_open_order() if each.kind == "leave"]
    saga.handle(order)
    assert outbox().open_order(order.id) is None
    assert Leaving.objects.get().step == saga.PROOF


def test_nobody_who_is_here_is_erased() -> None:
    life = a_life()
    assert saga.erase(life.person.id, seconds=10) is False
    assert Leaving.objects.count() == 0
    assert saga.erase_all() == 0
    assert [*tweet_store().by_author(life.person.id, replies=True, limit=10)]


def test_who_has_left_is_not_restored_and_a_suspension_changes_nothing() -> None:
    life = a_life()
    leave(life.person)
    person = User.objects.get(pk=life.person.pk)
    with pytest.raises(Forbidden):
        services.restore(person, by=operator())
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
KEYS_THAT_STAY = ("account", "name", "told", "gone", "live", "guesses")
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
    saga.erase_all()
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
