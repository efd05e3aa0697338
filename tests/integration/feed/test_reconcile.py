"""`manage.py reconcile`: SQL and the store from different moments agree again; what was lost is told, none deleted.

On SQLite: it walks all of the store, and the Cassandra of these tests is full of people whom SQL has never known. Both
real databases are restored from different moments in tests/integration/config/test_restored.py.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError
from knox.crypto import hash_token
from knox.models import AuthToken

from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.models import User
from accounts.people import suspending
from accounts.people.lost import KNOWN_TO_THE_STORE, name_of, stand_in_for
from accounts.session_rows import AccountChange
from accounts.sessions import ending_all
from accounts.sessions.tokens import authenticate, issue
from accounts.staff import log as staff_log
from accounts.staff_rows import StaffAction
from fanout.orders.kinds import DELIVER
from feed.moderation.reports import report_tweet
from feed.operations import reconcile as reconcile_module
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.outbox import Order
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.stores import outbox
from tests.backends import vouch_for_all
from tests.integration.feed.commands import audit_timelines, reconcile
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.liking import like
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

LONG_AGO_US = 3_600_000_000


def forget(*people: User) -> None:
    """As when SQL is restored from before they signed up; Redis is emptied, and no process remembers."""
    for person in people:
        AccountChange.objects.filter(user_id=person.pk).delete()
        User.objects.filter(pk=person.pk)._raw_delete("default")
    timeline_node().round_trip(("FLUSHALL",))
    begin(timeline_node())
    vouch_for_all()
    accounts.forget_all()


def order_about_nothing(age_us: int = LONG_AGO_US) -> Order:
    made = make_id(now_us() - age_us, 7)
    order = Order(id=made, kind=DELIVER, args=(made - 1, made - 2))
    outbox().add(order)
    return order


def work_off_all() -> None:
    """With the orders that orders write."""
    while work_off_everything():
        pass


def of_these(lines: list[str], *ids: int) -> list[str]:
    return [line for line in lines if any(f" {each}:" in line for each in ids)]


def test_whom_sql_has_lost_somebody_stands_in_for() -> None:
    author, liker, reader = new_person(), new_person(), new_person()
    tweet, shown = post(author), post(reader)
    follows.follow(reader.id, author.id)
    like(viewer=viewer(liker), tweet_id=shown)
    work_off_everything()
    forget(author, liker)
    status, lines = reconcile("--dry-run")
    expected = [f"account {each.id}: lost; @{name_of(each.id)} stands in" for each in (author, liker)]
    assert (status, sorted(of_these(lines, author.id, liker.id))) == (1, sorted(expected))
    assert not User.objects.filter(pk__in=[author.id, liker.id]).exists(), "nothing was changed"
    status, lines = reconcile()
    assert (status, sorted(of_these(lines, author.id, liker.id))) == (0, sorted(expected))
    work_off_everything()
    for each in (author, liker):
        stands_in = User.objects.get(pk=each.id)
        assert stands_in.suspended_at is not None
        assert not stands_in.has_usable_password()
    assert tweet not in home(reader)
    assert not tweet_store().get_many([tweet])[tweet].deleted
    assert audit_timelines()[0] == 0
    assert reconcile() == (0, ["nothing was lost"])


def test_one_who_is_known_again_is_restored_with_all_that_they_wrote() -> None:
    author, reader, staff = new_person(), new_person(), new_person(staff=True)
    tweet = post(author)
    follows.follow(reader.id, author.id)
    forget(author)
    reconcile()
    suspending.restore(User.objects.get(pk=author.id), by=staff)
    work_off_everything()
    assert home(reader) == [tweet]


def test_an_open_order_about_a_tweet_that_is_gone_is_told_and_closed() -> None:
    order, fresh, about_one = order_about_nothing(), order_about_nothing(age_us=1_000_000), post(new_person())
    expected = f"order {order.id}: deliver {list(order.args)} closed, tweet {order.args[0]} is lost"
    assert of_these(reconcile("--dry-run")[1], order.id) == [expected]
    assert outbox().open_order(order.id) is not None
    assert of_these(reconcile()[1], order.id) == [expected]
    assert outbox().open_order(order.id) is None
    assert outbox().open_order(fresh.id) is not None, "an order of this minute may be amid its own write"
    with patch.object(reconcile_module, "SETTLED_US", 0):
        assert len(of_these(reconcile()[1], fresh.id)) == 1
    assert outbox().open_order(about_one) is not None
    assert of_these(reconcile()[1], order.id) == []


def test_a_suspension_that_the_store_has_lost_is_ordered_again() -> None:
    suspended = new_person()
    like(viewer=viewer(suspended), tweet_id=post(new_person()))
    work_off_all()
    User.objects.filter(pk=suspended.pk).update(suspended_at=datetime.now(UTC))
    forget()
    assert reconcile() == (0, ["nothing was lost"])
    assert suspended.id in {order.args[0] for order in open_orders() if order.kind == "withhold"}


def likes(person: User) -> None:
    like(viewer=viewer(person), tweet_id=post(new_person()))


def follows_somebody(person: User) -> None:
    follows.follow(person.id, new_person().id)


def replies(person: User) -> None:
    post(person, reply_to=post(new_person()))


def is_retweeted(person: User) -> None:
    retweet(viewer=viewer(new_person()), tweet_id=post(person))


@pytest.mark.parametrize("act", [likes, follows_somebody, replies, is_retweeted])
def test_whom_sql_has_forgotten_to_be_suspended_is_suspended_until_staff_restore_them(
    act: Callable[[User], None],
) -> None:
    staff, person = new_person(staff=True), new_person()
    act(person)
    suspending.suspend(person, by=staff)
    work_off_all()
    User.objects.filter(pk=person.pk).update(suspended_at=None)
    forget()
    expected = [f"suspension {person.id}: known to the store only; suspended again, until staff restore them"]
    status, lines = reconcile("--dry-run")
    assert (status, of_these(lines, person.id)) == (1, expected)
    assert User.objects.get(pk=person.id).suspended_at is None
    with patch.object(reconcile_module, "write_withholding_order") as ordered:
        status, lines = reconcile()
        assert (status, of_these(lines, person.id)) == (1, expected), "somebody has to look at it"
    assert User.objects.get(pk=person.id).suspended_at is not None
    assert [call.args for call in ordered.mock_calls] == [(person.id,)], "by the suspension that stands now"
    entry = StaffAction.objects.filter(subject_id=person.id).latest("pk")
    assert (entry.action, entry.by_name, entry.reason) == ("suspend", staff_log.BY_ITSELF, KNOWN_TO_THE_STORE)
    assert reconcile() == (0, ["nothing was lost"])
    suspending.restore(User.objects.get(pk=person.id), by=staff)
    told = f"suspension {person.id}: restored, as SQL knows, and withheld still; counted again"
    assert of_these(reconcile()[1], person.id) == [told]
    work_off_all()
    assert reconcile() == (0, ["nothing was lost"])


def test_marks_of_a_tweet_that_was_deleted_say_nothing_of_its_author() -> None:
    author, staff = new_person(), new_person(staff=True)
    tweet = post(author)
    retweet(viewer=viewer(new_person()), tweet_id=tweet)
    work_off_all()
    delete_tweet(tweet_id=tweet, viewer=viewer(staff), reason="spam")
    work_off_all()
    assert reconcile() == (0, ["nothing was lost"])
    restore_tweet(tweet_id=tweet, viewer=viewer(staff), reason="no spam")
    assert reconcile() == (0, ["nothing was lost"]), "the order that counts them again waits"


def test_an_order_that_cannot_be_written_is_not_told_as_written() -> None:
    User.objects.filter(pk=new_person().pk).update(suspended_at=datetime.now(UTC))
    with patch.object(type(outbox()), "add", side_effect=Unavailable("store")), pytest.raises(CommandError) as raised:
        reconcile()
    assert raised.value.returncode == 2


def test_what_staff_know_of_and_the_store_lost_is_left_to_them() -> None:
    author, reporter, staff = new_person(), new_person(), new_person(staff=True)
    reported, deleted, put_back = post(author), post(author), post(author)
    report = report_tweet(by=viewer(reporter), tweet_id=reported, reason="spam")
    for tweet in (deleted, put_back):
        staff_log.record(by=staff, action="delete", subject=staff_log.tweet(tweet, author.id))
    staff_log.record(by=staff, action="restore tweet", subject=staff_log.tweet(put_back, author.id))
    with patch.object(reconcile_module, "tweet_store", lambda: _Without(reported)):
        status, lines = reconcile()
    assert status == 1
    assert of_these(lines, int(report.id)) == [f"report {report.id}: its tweet {reported} is lost"]
    assert len(of_these(lines, deleted)) == 1
    assert of_these(lines, put_back) == []


def test_a_name_that_is_taken_is_not_the_stand_in_s() -> None:
    author, taker = new_person(), new_person()
    post(author)
    User.objects.filter(pk=taker.pk).update(username=name_of(author.id).upper())
    forget(author)
    status, [line, _] = reconcile()
    stands_in = User.objects.get(pk=author.id)
    assert stands_in.username.startswith(f"{name_of(author.id)}_")
    assert (status, line) == (0, f"account {author.id}: lost; @{stands_in.username} stands in")
    assert stand_in_for(author.id) == stands_in, "who came first"


def test_an_order_without_arguments_is_left_to_the_workers() -> None:
    order = Order(id=make_id(now_us() - LONG_AGO_US, 7), kind=DELIVER, args=())
    outbox().add(order)
    assert reconcile() == (0, ["nothing was lost"])
    assert outbox().open_order(order.id) is not None


def test_it_stops_before_an_sql_that_is_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_module, "FEW", 3)
    people = [new_person() for _ in range(3)]
    for each in people:
        post(each)
    forget(*people[1:])
    for arguments in ((), ("--dry-run",)):
        with pytest.raises(CommandError, match="2 of the first 3") as raised:
            reconcile(*arguments)
        assert raised.value.returncode == 2
    forget(people[0])
    with pytest.raises(CommandError, match="knows nobody"):
        reconcile()
    assert not User.objects.exists()
    assert reconcile("--yes-that-many")[0] == 0
    assert User.objects.count() == 3


def test_a_fault_is_told_as_one_that_kept_it_from_looking() -> None:
    with (
        patch.object(reconcile_module, "tweet_store", side_effect=RuntimeError("a fault")),
        pytest.raises(CommandError, match="RuntimeError: a fault") as raised,
    ):
        reconcile()
    assert raised.value.returncode == 2


def test_chunks_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_module, "CHUNK", 2)
    people = [new_person() for _ in range(5)]
    for each in people:
        post(each)
        follows.follow(each.id, people[0].id) if each is not people[0] else None
    orders = [order_about_nothing() for _ in range(3)]
    forget(*people[1:])
    _, lines = reconcile()
    assert len(of_these(lines, *(each.id for each in people[1:]), *(each.id for each in orders))) == 7


def test_everybody_is_signed_out_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending_all, "CHUNK", 2)
    people = [new_person() for _ in range(3)]
    tokens = [issue(User.objects.get(pk=each.pk)) for each in people]
    session = SessionStore()
    session.create()
    stamps = dict(User.objects.values_list("pk", "security_stamp"))
    assert [authenticate(each).id for each in tokens] == [each.id for each in people]
    assert reconcile("--end-sessions", "--dry-run")[0] == 0
    assert Session.objects.exists()
    assert reconcile("--end-sessions") == (0, ["3 people are signed out", "nothing was lost"])
    assert not Session.objects.exists()
    assert not AuthToken.objects.exists()
    assert all(stamp != stamps[pk] for pk, stamp in User.objects.values_list("pk", "security_stamp"))
    noted = {
        digest for digests in AccountChange.objects.values_list("digests", flat=True) for digest in digests.split()
    }
    assert {hash_token(each) for each in tokens} <= noted


def test_without_the_store_it_says_that_it_could_not_look() -> None:
    def refuse() -> None:
        raise Unavailable("store")

    with patch.object(reconcile_module, "tweet_store", refuse), pytest.raises(CommandError) as raised:
        reconcile()
    assert raised.value.returncode == 2


class _Without:
    """The tweet store, restored from before a tweet."""

    def __init__(self, tweet_id: int) -> None:
        self._lost = tweet_id

    def __getattr__(self, name: str) -> object:
        return getattr(tweet_store(), name)

    def get_many(self, ids: list[int]) -> object:
        return tweet_store().get_many([each for each in ids if each != self._lost])
