"""Working on reports where the store is asked or written: the thing in its context, and a deletion. On both stores."""

import pytest
from django.test import Client

from accounts.graph import follows
from accounts.staff.roles import Role
from feed.models import Kind, Reason, Status, Verdict
from feed.models import Report as Reported
from feed.moderation.queue import Target
from feed.moderation.reports import report_person, report_tweet
from tests.integration.accounts.admins import signed_in
from tests.integration.feed.desking import decide
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person, new_staff
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def page_of(client: Client, target: Target) -> str:
    answer = client.get(f"/admin/desk/moderation/{target.kind}/{target.id}/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_tweet_is_judged_where_it_was_said_and_is_gone_once_that_is_decided() -> None:
    author, reader, moderator = new_person(), new_person(), new_staff(Role.MODERATOR)
    follows.follow(reader.id, author.id)
    root = post(reader, "a calm question")
    rude = post(author, "a rude reply", reply_to=root)
    own = post(author, "a rude thread")
    post(reader, "an upset answer", reply_to=rude)
    for tweet in (rude, own):
        report_tweet(by=viewer(reader), tweet_id=tweet, reason=Reason.ABUSE)
    work_off_everything()
    assert own in home(reader)
    page = page_of(signed_in(moderator), Target(Kind.TWEET, rude))
    assert [text in page for text in ("a calm question", "a rude reply", "an upset answer")] == [True] * 3
    for tweet in (rude, own):
        decide(Target(Kind.TWEET, tweet), by=moderator, verdict=Verdict.DELETE, note="It is rude.")
    work_off_everything()
    assert own not in home(reader)
    assert all(each.deleted for each in tweet_store().get_many([rude, own]).values())
    assert not Reported.objects.filter(status=Status.OPEN).exists()


def test_what_is_gone_already_and_what_somebody_wrote_lately() -> None:
    author, reader, moderator = new_person(), new_person(), new_staff(Role.MODERATOR)
    gone, kept = post(author, "gone words"), post(author, "kept words")
    report_tweet(by=viewer(reader), tweet_id=gone, reason=Reason.SPAM)
    report_person(by=viewer(reader), username=author.username, reason=Reason.SPAM)
    delete_tweet(tweet_id=gone, viewer=viewer(author))
    client = signed_in(moderator)
    assert "gone words" not in page_of(client, Target(Kind.TWEET, gone))
    page = page_of(client, Target(Kind.PERSON, author.pk))
    assert ("kept words" in page, "gone words" in page) == (True, False)
    assert decide(Target(Kind.TWEET, gone), by=moderator, verdict=Verdict.DELETE, note="rude").verdict == "delete"
    assert not tweet_store().get_many([kept])[kept].deleted
