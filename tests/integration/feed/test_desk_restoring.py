"""Restoring on the desk: on the page of a deleted tweet and of its case, to whom it is, and to nobody else."""

import pytest

from accounts.models import User
from accounts.staff.roles import TABLE, Right, Role
from accounts.staff_rows import StaffAction
from feed.models import Decision, Kind, Reason, Report, Status
from feed.moderation import deciding
from feed.moderation.queue import Target
from storage.errors import Forbidden
from tests.integration.feed.desk import XSS, Desk, assert_harmless
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post, seen, viewer
from tests.people import new_person, new_staff
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet

pytestmark = pytest.mark.usefixtures("product")

BAD_REASONS = ("", "   ", "x" * 1_001, "\0")
BUTTON = 'value="restore"'


def stands(tweet: int) -> bool:
    return not tweet_store().get_many([tweet])[tweet].deleted


def new_superuser() -> User:
    person = new_staff(Role.ADMINISTRATOR)
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    person.refresh_from_db()
    return person


class Case:
    """A tweet that was reported, decided about, and deleted for that by another moderator."""

    def __init__(self) -> None:
        self.author, self.reporter = new_person(), new_person()
        self.tweet = post(self.author, "rude words")
        self.report = Report.objects.create(
            reporter=self.reporter, person=self.author, tweet_id=self.tweet, reason=Reason.ABUSE
        )
        self.moderator = new_staff(Role.MODERATOR)
        target = Target(Kind.TWEET, self.tweet)
        claim = deciding.claim(target, by=self.moderator)
        self.decision = deciding.decide(
            target, by=self.moderator, token=claim.token, seen=self.report.pk, verdict="delete", note="It is rude."
        )

    @property
    def pages(self) -> tuple[str, str]:
        return f"tweets/{self.tweet}/", f"moderation/tweet/{self.tweet}/"


@pytest.mark.parametrize("page", [0, 1])
def test_a_moderator_restores_what_was_deleted_and_the_decision_stays(page: int) -> None:
    desk, case = Desk(Role.MODERATOR), Case()
    work_off_everything()
    shown = desk.page(case.pages[page])
    assert BUTTON in shown
    assert f"eleted by @{case.moderator.username}, 20" in shown
    form = {"action": "restore", "act": "restore", "reason": "It was a quotation."}
    assert "Restored." in desk.send(case.pages[page], **form)
    assert BUTTON not in desk.page(case.pages[page])
    work_off_everything()
    assert (seen(case.tweet).text, home(case.author)) == ("rude words", [case.tweet])
    [entry] = StaffAction.objects.filter(action="restore tweet")
    assert (entry.by_id, entry.subject_kind, entry.subject_id, entry.about, entry.reason) == (
        *(desk.person.pk, "tweet", case.tweet, case.author.pk),
        "It was a quotation.",
    )
    case.report.refresh_from_db()
    assert (case.report.status, case.report.decision_id) == (Status.CLOSED, case.decision.pk)
    assert Decision.objects.get().verdict == "delete"
    assert "Deleted." in desk.send(case.pages[0], action="delete", reason="It is rude after all.")
    assert not stands(case.tweet)


@on_one_store
@pytest.mark.parametrize("role", Role)
def test_it_is_offered_to_its_roles_only(role: Role) -> None:
    desk, case = Desk(role), Case()
    may = role in TABLE[Right.RESTORE_TWEETS]
    assert may is (role in (Role.MODERATOR, Role.ADMINISTRATOR))
    for path in case.pages:
        answer = desk.get(path)
        page = answer.content.decode()
        assert (BUTTON in page, "Restore this tweet" in page) == (may, may)
        if not may:
            assert desk.refused(path, action="restore", act="restore", reason="x") == 403
    assert not stands(case.tweet)


@on_one_store
def test_what_its_author_deleted_too_says_so_and_offers_nothing() -> None:
    desk, case = Desk(Role.MODERATOR), Case()
    delete_tweet(tweet_id=case.tweet, viewer=viewer(case.author))
    for path in case.pages:
        page = desk.page(path)
        assert f"eleted by @{case.moderator.username} and its author, 20" in page
        assert "Its author deleted it; only what staff deleted is restored." in page
        assert BUTTON not in page
        assert "Its author deleted it" in desk.send(path, action="restore", act="restore", reason="x")
    assert not stands(case.tweet)
    assert not StaffAction.objects.filter(action="restore tweet").exists()


@on_one_store
def test_nobody_restores_their_own_nor_staff_what_superusers_see_alone() -> None:
    desk = Desk(Role.MODERATOR)
    own, colleague_s = post(desk.person), post(new_staff(Role.VIEWER))
    superuser = new_superuser()
    for tweet in (own, colleague_s):
        delete_tweet(tweet_id=tweet, viewer=viewer(superuser), reason="x")
        assert BUTTON not in desk.page(f"tweets/{tweet}/")
        assert desk.refused(f"tweets/{tweet}/", action="restore", reason="x") == 403
    theirs = post(superuser)
    delete_tweet(tweet_id=theirs, viewer=viewer(superuser))
    with pytest.raises(Forbidden, match="themselves"):
        restore_tweet(tweet_id=theirs, viewer=viewer(superuser), reason="x")
    assert not any(map(stands, (own, colleague_s, theirs)))


@on_one_store
def test_bad_reasons_and_targets_change_nothing() -> None:
    desk, case = Desk(Role.MODERATOR), Case()
    for path in case.pages:
        for reason in BAD_REASONS:
            desk.send(path, action="restore", act="restore", reason=reason)
    assert not stands(case.tweet)
    assert desk.refused("moderation/tweet/7/", act="restore", reason="x") == 404
    assert desk.refused(f"moderation/person/{case.author.pk}/", act="restore", reason="x") == 404
    for reason in XSS:
        for path in case.pages:
            assert_harmless(desk.send(path, action="restore", act="restore", reason=reason))
            assert stands(case.tweet)
            delete_tweet(tweet_id=case.tweet, viewer=viewer(case.moderator), reason=reason)
            assert_harmless(desk.page(path))
