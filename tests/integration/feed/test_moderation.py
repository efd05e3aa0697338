"""Working on reports: the queue by target, claims, and what a decision does."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import OperationalError

from accounts.models import User
from accounts.people import suspending
from accounts.people.withholding import order_withholding
from accounts.staff import log
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.models import NOTE_MAX, Claim, Decision, Kind, Reason, Report, Status, Verdict
from feed.moderation import deciding, queue
from feed.moderation.deciding import DECIDED
from feed.moderation.queue import Target
from feed.moderation.reports import note_report
from storage.errors import Forbidden, NotFound, Refused, Unavailable
from tests.integration.accounts.test_stamp_migration import postgres, sqlite
from tests.integration.feed.desking import decide
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person, new_staff
from tests.threads import run_together
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet

__all__ = ["postgres", "sqlite"]

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.fixture
def moderator() -> User:
    return new_staff(Role.MODERATOR)


@pytest.fixture
def author() -> User:
    return new_person()


def reported(author: User, tweet_id: int | None = None, reason: Reason = Reason.SPAM) -> Report:
    return Report.objects.create(reporter=new_person(), person=author, tweet_id=tweet_id, reason=reason)


def of_tweet(author: User, *, reports: int = 1) -> Target:
    tweet_id = post(author, "buy now")
    for _ in range(reports):
        reported(author, tweet_id)
    return Target(Kind.TWEET, tweet_id)


def test_four_reporters_are_one_row(moderator: User, author: User) -> None:
    tweet = of_tweet(author, reports=3)
    reported(author, tweet.id, Reason.ABUSE)
    reported(author)
    first, second = queue.waiting(moderator, limit=10)
    assert (first.target, first.reports, first.reasons, first.username) == (
        tweet,
        4,
        ("abuse", "spam"),
        author.username,
    )
    assert (second.target, second.reports) == (Target(Kind.PERSON, author.pk), 1)


def test_the_longest_waiting_come_first_a_page_at_a_time(moderator: User) -> None:
    people = [new_person() for _ in range(5)]
    for person in people:
        reported(person)
    reported(people[0])
    first = queue.waiting(moderator, limit=2)
    rest = queue.waiting(moderator, after=first[-1].oldest_id, limit=10)
    assert [each.target.id for each in [*first, *rest]] == [person.pk for person in people]


def test_what_was_said_of_staff_is_superusers_to_see(moderator: User) -> None:
    reported(new_staff(Role.VIEWER))
    assert queue.waiting(moderator, limit=10) == []
    [row] = queue.waiting(new_person(staff=True), limit=10)
    with pytest.raises(NotFound):
        deciding.claim(row.target, by=moderator)


def test_two_never_work_on_one(moderator: User, author: User) -> None:
    target, other = of_tweet(author), new_staff(Role.MODERATOR)
    deciding.claim(target, by=moderator)
    with pytest.raises(Refused, match=f"@{moderator.username} is working on it"):
        deciding.claim(target, by=other)
    with pytest.raises(Refused, match=f"@{moderator.username} is working on it"):
        decide(target, by=other, verdict="dismiss", note="nothing")
    assert queue.waiting(other, limit=10)[0].claimed_by == moderator.username
    deciding.claim(target, by=moderator)
    deciding.release(target, by=other)
    assert queue.standing_claim(target) is not None, "a claim is its owner's to release"
    deciding.release(target, by=moderator)
    deciding.claim(target, by=other)


def test_of_several_who_claim_at_once_one_has_it(author: User) -> None:
    target = of_tweet(author)
    people = [new_staff(Role.MODERATOR) for _ in range(4)]

    def claimed(person: User) -> bool:
        try:
            deciding.claim(target, by=person)
        except Refused:
            return False
        return True

    assert sorted(run_together([partial(claimed, person) for person in people])) == [False] * 3 + [True]


def test_a_claim_ends_by_itself(moderator: User, author: User) -> None:
    target, other = of_tweet(author), new_staff(Role.MODERATOR)
    deciding.claim(target, by=moderator)
    Claim.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert queue.standing_claim(target) is None
    assert queue.waiting(other, limit=10)[0].claimed_by is None
    deciding.claim(target, by=other)
    with pytest.raises(Refused):
        deciding.claim(target, by=moderator)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_decision_is_done_closes_every_report_and_is_logged(moderator: User, author: User, verdict: Verdict) -> None:
    target, until = of_tweet(author, reports=2), datetime.now(UTC) + timedelta(days=1)
    elsewhere = reported(author)
    decision = decide(target, by=moderator, verdict=verdict, note=" rude ", until=until)
    closed = Report.objects.filter(tweet_id=target.id)
    assert {(each.status, each.closed_by, each.decision, each.note) for each in closed} == {
        (Status.CLOSED, moderator, decision, "rude")
    }
    elsewhere.refresh_from_db()
    assert elsewhere.status == Status.OPEN, "which is about the person"
    author.refresh_from_db()
    gone = ApiClient().get(f"/api/v1/tweets/{target.id}").status_code == 404
    assert gone is (verdict in (Verdict.DELETE, Verdict.SUSPEND))
    assert (author.suspended_until == until) is (verdict == Verdict.SUSPEND)
    done = {"delete": ["delete"], "suspend": ["suspend"]}.get(verdict, [])
    assert [*StaffAction.objects.order_by("pk").values_list("action", flat=True)] == [*done, f"decide: {verdict}"]
    assert [entry.reason for entry in StaffAction.objects.order_by("pk")] == [*(DECIDED for _ in done), "rude"]
    assert queue.standing_claim(target) is None
    assert queue.decisions_about(author.pk) == [decision]
    with pytest.raises(Refused, match="open any more"):
        decide(target, by=moderator, verdict=verdict, note="again")


def test_deciding_about_a_tweet_that_is_gone_already(moderator: User, author: User) -> None:
    target = of_tweet(author)
    delete_tweet(tweet_id=target.id, viewer=viewer(author))
    assert decide(target, by=moderator, verdict="delete", note="it was rude").verdict == "delete"


def test_a_deletion_that_fails_is_logged(moderator: User, author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done without a trace; an entry may stand for a try."""
    target = of_tweet(author)

    def unanswered(*_: object, **__: object) -> None:
        raise Unavailable("store")

    monkeypatch.setattr(type(tweet_store()), "delete", unanswered)
    with pytest.raises(Unavailable):
        decide(target, by=moderator, verdict="delete", note="rude")
    assert StaffAction.objects.get().action == "delete"
    assert not Decision.objects.exists()
    assert Report.objects.get().status == Status.OPEN
    monkeypatch.undo()
    decide(target, by=moderator, verdict="delete", note="rude")


def test_nothing_is_deleted_that_cannot_be_logged(author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    tweet, client = post(author), ApiClient(new_staff(Role.MODERATOR))

    def unanswered(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(log, "record", unanswered)
    assert client.delete(f"/api/v1/tweets/{tweet}").status_code == 503
    assert client.get(f"/api/v1/tweets/{tweet}").status_code == 200


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_case_on_either_database(request: pytest.FixtureRequest, engine: str) -> None:
    request.getfixturevalue(engine)
    moderator, author = new_staff(Role.MODERATOR), new_person()
    target = of_tweet(author, reports=3)
    assert queue.waiting(moderator, limit=5)[0].reports == 3
    deciding.claim(target, by=moderator)
    assert queue.waiting(moderator, limit=5)[0].claimed_by == moderator.username
    with pytest.raises(Refused):
        deciding.claim(target, by=new_staff(Role.MODERATOR))
    decide(target, by=moderator, verdict="suspend", note="spam", until=datetime.now(UTC))
    assert queue.waiting(moderator, limit=5) == []
    assert suspending.end_suspensions() == 1
    assert StaffAction.objects.count() == 3


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_long_note_is_kept_and_logged(request: pytest.FixtureRequest, engine: str) -> None:
    request.getfixturevalue(engine)
    report = reported(new_person())
    report.note = "x" * NOTE_MAX
    note_report(report, "", by=new_staff(Role.MODERATOR))
    assert StaffAction.objects.get().after == {"note": report.note}


@pytest.mark.parametrize(
    ("verdict", "note"), [("", "x"), ("praise", "x"), ("dismiss", ""), ("dismiss", "x" * 1_001), ("dismiss", "\0")]
)
def test_what_is_no_decision(moderator: User, author: User, verdict: str, note: str) -> None:
    with pytest.raises(Refused):
        decide(of_tweet(author), by=moderator, verdict=verdict, note=note)
    assert not Decision.objects.exists()


def test_a_person_is_not_deleted(moderator: User, author: User) -> None:
    reported(author)
    with pytest.raises(Refused):
        decide(Target(Kind.PERSON, author.pk), by=moderator, verdict="delete", note="x")


def test_who_has_not_the_right_decides_nothing(author: User) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        target = of_tweet(author)
        with pytest.raises(Forbidden):
            decide(target, by=new_staff(role), verdict="delete", note="x")
    boss = new_person(staff=True)
    reported(boss)
    with pytest.raises(Forbidden, match="themselves"):
        deciding.claim(Target(Kind.PERSON, boss.pk), by=boss)


@pytest.mark.parametrize("target", [Target(Kind.TWEET, 1), Target(Kind.PERSON, 2**62)])
def test_what_nobody_reported_is_not_there(moderator: User, target: Target) -> None:
    with pytest.raises(NotFound):
        deciding.claim(target, by=moderator)


def test_a_suspension_ends_when_it_was_to(author: User) -> None:
    boss, soon = new_person(staff=True), datetime.now(UTC) + timedelta(hours=1)
    lasting, over = new_person(), new_person()
    suspending.suspend(lasting, by=boss)
    suspending.suspend(over, by=boss, until=soon)
    suspending.suspend(author, by=boss, until=soon)
    assert suspending.end_suspensions() == 0
    User.objects.filter(pk=over.pk).update(suspended_until=datetime.now(UTC))
    assert suspending.end_suspensions() == 1
    assert {*User.objects.exclude(suspended_at=None)} == {author, lasting}
    entry = StaffAction.objects.latest("pk")
    assert (entry.by, entry.action, entry.subject_id) == (None, "restore", over.pk)


def test_who_is_suspended_anew_meanwhile_stays_so(author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    boss = new_person(staff=True)
    suspending.suspend(author, by=boss, until=datetime.now(UTC))

    def overtaken(user_id: int) -> None:
        monkeypatch.setattr(suspending, "order_withholding", order_withholding)
        suspending.suspend(User.objects.get(pk=user_id), by=boss)

    monkeypatch.setattr(suspending, "order_withholding", overtaken)
    assert suspending.end_suspensions() == 0
    author.refresh_from_db()
    assert (author.suspended_at is not None, author.suspended_until) == (True, None)


def test_staff_without_the_right_delete_nothing_by_the_api_either(author: User) -> None:
    tweet = post(author)
    statuses = {
        role: ApiClient(new_staff(role)).delete(f"/api/v1/tweets/{tweet}").status_code
        for role in (Role.VIEWER, Role.OPERATOR, Role.MODERATOR)
    }
    assert statuses == {Role.VIEWER: 403, Role.OPERATOR: 403, Role.MODERATOR: 204}
    [entry] = StaffAction.objects.all()
    assert (entry.action, entry.subject_id, entry.before["author"]) == ("delete", tweet, str(author.pk))
    assert entry.request_id
