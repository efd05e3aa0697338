"""Reporting tweets and people, and what those who moderate see of it."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.people import suspending
from feed.models import COMMENT_MAX, Kind, Report, Status
from feed.moderation.queue import Target
from tests.backends import counted_sql
from tests.integration.accounts.test_admin import post as admin_post
from tests.integration.accounts.test_admin import signed_in
from tests.integration.feed.desking import decide
from tests.integration.speaking import on_one_store
from tests.people import ApiClient, new_person
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("product")


def report(client: ApiClient, **body: Any) -> Any:
    return client.post("/api/v1/reports", {"reason": "spam", **body}, content_type="application/json")


def tweet_of(author: User) -> str:
    answer = ApiClient(author).post("/api/v1/tweets", {"text": "buy now"}, content_type="application/json")
    return str(answer.json()["data"]["id"])


def test_a_tweet_is_reported() -> None:
    author, reporter = new_person(), new_person()
    tweet = tweet_of(author)
    answer = report(ApiClient(reporter), tweet_id=tweet, reason="abuse", comment="  see for yourself ")
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert {name: data[name] for name in ("tweet_id", "username", "reason", "comment")} == {
        "tweet_id": tweet,
        "username": None,
        "reason": "abuse",
        "comment": "see for yourself",
    }
    row = Report.objects.get()
    assert (str(row.pk), row.person, row.reporter, row.status) == (data["id"], author, reporter, Status.OPEN)


@on_one_store
def test_a_person_is_reported_in_any_case() -> None:
    person = new_person("Spam_Bot")
    data = report(ApiClient(new_person()), username="spam_bot").json()["data"]
    assert (data["tweet_id"], data["username"], data["comment"]) == (None, "Spam_Bot", "")
    assert Report.objects.get().person == person


@on_one_store
def test_reporting_again_answers_the_first_report() -> None:
    author, reporter = new_person(), ApiClient(new_person())
    tweet = tweet_of(author)
    first = report(reporter, tweet_id=tweet)
    again = report(reporter, tweet_id=tweet, reason="other", comment="more")
    assert (again.status_code, again.json()) == (201, first.json())
    of_person = report(reporter, username=author.username).json()["data"]["id"]
    of_another = report(ApiClient(new_person()), tweet_id=tweet).json()["data"]["id"]
    assert len({first.json()["data"]["id"], of_person, of_another}) == 3


@on_one_store
@pytest.mark.parametrize("what", ["tweet_id", "username"])
def test_reporting_at_the_same_moment_makes_one_report(what: str) -> None:
    author, client = new_person(), ApiClient(new_person())
    body = {what: tweet_of(author) if what == "tweet_id" else author.username}
    answers = run_together([lambda: report(ApiClient(token=client.token), **body)] * 8)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert Report.objects.count() == 1


@on_one_store
def test_who_is_overtaken_while_reporting_answers_the_report_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    person, client = new_person(), ApiClient(new_person())
    original = Report.__init__

    def overtaken(row: Report, *args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(Report, "__init__", original)
        assert report(ApiClient(token=client.token), username=person.username, reason="abuse").status_code == 201
        original(row, *args, **kwargs)

    monkeypatch.setattr(Report, "__init__", overtaken)
    answer = report(client, username=person.username)
    assert (answer.status_code, answer.json()["data"]["reason"]) == (201, "abuse")
    assert Report.objects.count() == 1


@on_one_store
def test_after_a_report_was_closed_the_same_is_a_new_one() -> None:
    person, reporter, staff = new_person(), ApiClient(new_person()), new_person(staff=True)
    first = report(reporter, username=person.username).json()["data"]["id"]
    decide(Target(Kind.PERSON, person.pk), by=staff, verdict="dismiss", note="no")
    assert report(reporter, username=person.username).json()["data"]["id"] != first


@on_one_store
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"tweet_id": "1", "username": "someone"}, "body"),
        ({"tweet_id": None, "username": None}, "body"),
        ({"tweet_id": 1}, "tweet_id"),
        ({"username": ["x"]}, "username"),
        ({"username": ""}, "username"),
        ({"username": "nobody_of_that_name"}, "username"),
        ({"username": "no\u202ebody"}, "username"),
        ({"tweet_id": "1"}, "tweet_id"),
        ({"username": "someone", "reason": "boredom"}, "reason"),
        ({"username": "someone", "reason": None}, "reason"),
        ({"username": "someone", "comment": "x" * (COMMENT_MAX + 1)}, "comment"),
        ({"username": "someone", "comment": "\0"}, "comment"),
        ({"username": "someone", "comment": 3}, "comment"),
    ],
)
def test_what_is_not_a_report_is_refused(body: dict[str, Any], field: str) -> None:
    new_person("someone")
    answer = report(ApiClient(new_person()), **body)
    assert answer.status_code == 422, answer.json()
    assert list(answer.json()["errors"]) == [field]
    assert not Report.objects.exists()


@on_one_store
@pytest.mark.parametrize(("tweet_id", "status"), [("x", 400), ("-1", 400), ("9" * 60, 400), ("9" * 20, 400)])
def test_an_id_that_is_none(tweet_id: str, status: int) -> None:
    assert report(ApiClient(new_person()), tweet_id=tweet_id).status_code == status


@on_one_store
def test_what_is_gone_and_oneself_cannot_be_reported() -> None:
    author, staff = new_person(), new_person(staff=True)
    client, other = ApiClient(author), ApiClient(new_person())
    kept, deleted = tweet_of(author), tweet_of(author)
    client.delete(f"/api/v1/tweets/{deleted}")
    suspending.suspend(suspended := new_person(), by=staff)
    answers = [
        report(client, username=author.username),
        report(client, tweet_id=kept),
        report(other, tweet_id=deleted),
        report(other, username=suspended.username),
    ]
    assert [answer.json()["code"] for answer in answers] == ["reporting_oneself"] * 2 + ["gone"] * 2
    assert {answer.status_code for answer in answers} == {422}
    assert not Report.objects.exists()


@on_one_store
def test_nobody_reports_without_signing_in() -> None:
    assert report(ApiClient(), username=new_person().username).status_code == 401


@on_one_store
def test_moderators_find_and_note_reports_and_close_none_past_the_queue() -> None:
    new_person("boss", staff=True)
    author = new_person("loud")
    report(ApiClient(new_person("upset")), tweet_id=tweet_of(author), comment="<script>look</script>")
    row = Report.objects.get()
    admin = signed_in("boss")
    listed = admin.get("/admin/feed/report/?status__exact=open").content.decode()
    assert "@loud" in listed
    assert "@upset" in listed
    assert str(row.tweet_id) in listed
    shown = admin.get(f"/admin/feed/report/{row.pk}/change/").content.decode()
    assert "&lt;script&gt;look" in shown
    assert admin_post(admin, f"/admin/feed/report/{row.pk}/change/", {"note": "warned"}).status_code == 302
    closing = {"action": "close", "_selected_action": [str(row.pk)]}
    admin_post(admin, "/admin/feed/report/", closing)
    row.refresh_from_db()
    assert (row.note, row.status, row.closed_by, row.reason) == ("warned", Status.OPEN, None, "spam")
    assert admin.get("/admin/feed/report/add/").status_code == 403
    assert admin.post(f"/admin/feed/report/{row.pk}/delete/").status_code == 403


@on_one_store
def test_people_see_no_reports() -> None:
    person = new_person()
    assert ApiClient(person).get("/api/v1/reports").status_code == 405
    assert Client().get("/admin/feed/report/").status_code == 302


@on_one_store
def test_the_list_of_reports_costs_the_same_however_many_there_are() -> None:
    new_person("boss", staff=True)
    admin, reporter = signed_in("boss"), ApiClient(new_person())
    counts = []
    for _ in range(2):
        for _ in range(3):
            report(reporter, username=new_person().username)
        with counted_sql("default") as sql:
            admin.get("/admin/feed/report/")
        counts.append(len(sql))
    assert counts[0] == counts[1]
