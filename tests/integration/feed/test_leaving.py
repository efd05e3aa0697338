"""Leaving: everything of a person goes, piece by piece."""

from unittest.mock import Mock, patch

import msgspec
import pytest

from accounts.graph import follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.erasing import newest
from accounts.graph.kinds import FOLLOW
from accounts.people.erasing import Piece
from accounts.people.leaving import is_leaving
from fanout.delivery import celebrities
from feed.leaving import saga
from feed.models import Leaving, Report
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import End
from storage.redis.count_cache import counts_of
from tests.integration.feed.lives import a_life, erased, go_on, leave, long_gone, rebuilt, step_named, traces, withheld
from tests.integration.tweeting import guards_have_ended, home, seen, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing import erasing
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product", "no_moment")

ALL = [step.name for step in saga.registered_steps()]


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


def test_what_was_reported_stays_without_who_did_it() -> None:
    life = a_life()
    report = Report.objects.get(reporter=life.person)
    leave(life.person)
    saga.erase(life.person.id, seconds=10)
    report.refresh_from_db()
    assert (report.reporter, report.comment) == (None, "Buy now!")


@pytest.mark.parametrize("has_left", [True, False])
def test_what_staff_delete_meanwhile_loses_its_words_as_well(has_left: bool) -> None:
    life, staff = a_life(), new_person(staff=True)
    if has_left:
        leave(life.person)
    delete_tweet(tweet_id=life.tweets[0], viewer=viewer(staff), reason="spam")
    row = tweet_store().get_many(life.tweets)[life.tweets[0]]
    assert row.deleted
    assert (row.text == "") is has_left


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
