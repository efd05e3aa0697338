"""Who reads what of the log of staff: what concerns staff is superusers', reports are moderators'."""

import pytest
from django.test import Client

from accounts.graph import blocks
from accounts.models import User
from accounts.people import services
from accounts.staff import log
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.models import Kind, Reason, Report, Verdict
from feed.moderation.queue import Target
from feed.moderation.reports import note_report
from tests.integration.accounts.admins import signed_in
from tests.integration.feed.desking import Desk, decide
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post as post_tweet
from tests.integration.tweeting import viewer
from tests.people import new_person, new_staff
from tweets.writing.posting import delete_tweet

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

LOG = "/admin/accounts/staffaction/"


def read_by(client: Client) -> str:
    return client.get(LOG).content.decode()


@pytest.fixture
def boss() -> User:
    return new_person("boss", staff=True)


def test_what_concerns_staff_is_superusers_to_read(boss: User) -> None:
    desk, colleague = Desk(), new_staff(Role.VIEWER)
    theirs = post_tweet(colleague, "said by a colleague")
    services.set_verified(colleague, True, by=boss, reason="why of a person")
    delete_tweet(tweet_id=theirs, viewer=viewer(boss), reason="why of a tweet")
    report = Report.objects.create(reporter=desk.author, person=colleague, reason=Reason.SPAM, note="why of a report")
    note_report(report, "", by=boss)
    log.record(by=boss, action="change a group", subject=log.Subject("group", 1), reason="why of a group")
    services.set_verified(desk.author, True, by=boss, reason="why of a member")
    all_of_it, administrator = read_by(signed_in(boss)), signed_in(new_staff(Role.ADMINISTRATOR))
    for kind in ("person", "tweet", "group"):
        assert f"why of a {kind}" in all_of_it
        assert f"why of a {kind}" not in read_by(administrator), kind
    assert "why of a member" in read_by(administrator)
    for entry in StaffAction.objects.filter(about=colleague.pk):
        assert administrator.get(f"{LOG}{entry.pk}/change/").status_code == 302, entry
    assert StaffAction.objects.filter(about=colleague.pk).count() == 3


@pytest.mark.parametrize("verdict", [Verdict.WARN, Verdict.DELETE, Verdict.SUSPEND])
def test_what_was_decided_is_read_by_who_handles_reports(boss: User, verdict: Verdict) -> None:
    desk = Desk()
    decide(Target(Kind.TWEET, desk.tweet), by=boss, verdict=verdict, note="why it was decided")
    report = Report.objects.get(tweet_id=None)
    report.note = "noted"
    note_report(report, "", by=boss)
    operator, administrator = new_staff(Role.OPERATOR), new_staff(Role.ADMINISTRATOR)
    seen = {who: {*log.entries_for(who).values_list("action", flat=True)} for who in (operator, administrator)}
    done = {"look", *([verdict.value] if verdict is not Verdict.WARN else [])}
    assert seen == {operator: done, administrator: {*done, f"decide: {verdict}", "note"}}
    assert "why it was decided" not in read_by(signed_in(operator))
    assert "why it was decided" in read_by(signed_in(administrator))


def test_whom_staff_block_is_not_explained_to_operators(boss: User) -> None:
    reader, colleague, author = new_person(), new_staff(Role.VIEWER, "colleague"), new_person("member")
    asked = {each: post_tweet(each) for each in (colleague, author)}
    for each in asked:
        blocks.block(each.id, reader.id)
    for who, told in ((new_staff(Role.OPERATOR), False), (boss, True)):
        client = signed_in(who)
        pages = {
            each: client.get("/admin/desk/explain/", {"reader": reader.username, "tweet": str(tweet)}).content.decode()
            for each, tweet in asked.items()
        }
        assert (f"@colleague blocks @{reader.username}" in pages[colleague]) is told
        assert ("superusers see which" in pages[colleague]) is not told
        assert f"@member blocks @{reader.username}" in pages[author]
