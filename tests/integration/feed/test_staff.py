"""Staff see what they act on: suspended people, and what they wrote, where it is looked up."""

from typing import Any

import pytest

from accounts.graph import blocks, follows
from accounts.models import User
from accounts.people import services, suspending
from tests.backends import timeline_redis_down
from tests.integration.accounts.test_admin import signed_in
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post, viewer
from tests.people import ApiClient, new_person
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def staff(product: str) -> User:
    return new_person("boss", staff=True)


@pytest.fixture
def loud(staff: User) -> User:
    """Somebody who has written, and is suspended."""
    person = new_person("loud")
    post(person, "rude words")
    suspending.suspend(person, by=staff)
    return person


def ids(answer: Any) -> list[int]:
    return [int(each["id"]) for each in answer.json()["data"]]


def test_staff_read_a_suspended_persons_tweets_and_nobody_else_does(staff: User) -> None:
    person, other = new_person(), new_person()
    theirs, answered = post(person, "rude words"), post(other)
    reply, quote = post(person, reply_to=answered), post(other, quote_of=theirs)
    retweet(viewer=viewer(person), tweet_id=answered)
    paths = [
        f"users/{person.username}",
        f"users/{person.username}/tweets",
        f"users/{person.username}/tweets?replies=false",
        f"users/{person.username}/followers",
        f"tweets/{theirs}",
        f"tweets/{reply}",
        f"tweets/{theirs}/thread",
        f"tweets/{answered}/thread",
        f"tweets/{answered}/replies",
        f"tweets/{quote}",
    ]
    client = ApiClient(staff)
    before = [client.get(f"/api/v1/{path}").json()["data"] for path in paths]
    suspending.suspend(person, by=staff)
    assert [client.get(f"/api/v1/{path}").json()["data"] for path in paths] == before
    for somebody in (ApiClient(), ApiClient(other)):
        for path in paths[:7]:
            assert somebody.get(f"/api/v1/{path}").status_code == 404, path
        assert ids(somebody.get(f"/api/v1/tweets/{answered}/replies")) == []
        assert somebody.get(f"/api/v1/tweets/{quote}").json()["data"]["quote_of"] is None


def test_feeds_are_without_the_suspended_for_staff_as_well(staff: User) -> None:
    person = new_person()
    follows.follow(staff.id, person.id)
    post(person)
    suspending.suspend(person, by=staff)
    assert home(staff) == []
    assert ids(ApiClient(staff).get("/api/v1/feed/public")) == []


@on_one_store
def test_staff_see_only_and_delete(staff: User) -> None:
    person = new_person()
    tweet = post(person)
    suspending.suspend(person, by=staff)
    client = ApiClient(staff)
    for mark in ("like", "retweet", "bookmark"):
        assert client.put(f"/api/v1/tweets/{tweet}/{mark}").status_code == 404
    assert client.put(f"/api/v1/users/{person.username}/follow").status_code == 404
    assert client.delete(f"/api/v1/tweets/{tweet}").status_code == 204
    assert client.get(f"/api/v1/tweets/{tweet}").status_code == 404
    assert ids(client.get(f"/api/v1/users/{person.username}/tweets")) == []


def test_a_block_holds_for_staff(staff: User) -> None:
    person = new_person()
    tweet = post(person)
    blocks.block(person.id, staff.id)
    suspending.suspend(person, by=staff)
    for path in (f"users/{person.username}", f"users/{person.username}/tweets", f"tweets/{tweet}"):
        assert ApiClient(staff).get(f"/api/v1/{path}").status_code == 404


@on_one_store
def test_who_is_no_longer_staff_sees_no_more(staff: User, loud: User) -> None:
    client = ApiClient(staff)
    assert client.get("/api/v1/users/loud/tweets").status_code == 200
    User.objects.filter(pk=staff.pk).update(is_staff=False)
    services.announce(staff, ["is_staff"])
    assert client.get("/api/v1/users/loud/tweets").status_code == 404


@on_one_store
@pytest.mark.usefixtures("staff")
def test_the_admin_shows_what_a_suspended_person_wrote(loud: User) -> None:
    original = post(new_person("kind"), "<b>kind words</b>")
    path = f"/admin/accounts/user/{loud.pk}/change/"
    admin = signed_in("boss")
    assert "rude words" in admin.get(path).content.decode()
    suspending.restore(loud, by=loud)
    retweet(viewer=viewer(loud), tweet_id=original)
    gone = post(loud, "taken back")
    delete_tweet(tweet_id=gone, viewer=viewer(loud))
    page = admin.get(path).content.decode()
    assert "retweets @kind: &lt;b&gt;kind words&lt;/b&gt;" in page
    assert "taken back" not in page
    with timeline_redis_down():
        assert "rude words" in admin.get(path).content.decode()


@on_one_store
@pytest.mark.usefixtures("staff")
def test_a_report_shows_what_was_reported() -> None:
    person, reporter = new_person("loud"), ApiClient(new_person())
    tweet = post(person, "rude words")
    for about in ({"tweet_id": str(tweet)}, {"username": "loud"}):
        assert reporter.post("/api/v1/reports", {**about, "reason": "spam"}, "application/json").status_code == 201
    admin = signed_in("boss")
    of_the_person, of_the_tweet = (
        f"/admin/feed/report/{row['data']['id']}/change/"
        for row in (
            reporter.post("/api/v1/reports", {**about, "reason": "spam"}, "application/json").json()
            for about in ({"username": "loud"}, {"tweet_id": str(tweet)})
        )
    )
    assert "rude words" in admin.get(of_the_tweet).content.decode()
    assert "rude words" not in admin.get(of_the_person).content.decode()
    suspending.suspend(person, by=person)
    assert "rude words" in admin.get(of_the_tweet).content.decode()
    delete_tweet(tweet_id=tweet, viewer=viewer(person))
    assert "Deleted." in admin.get(of_the_tweet).content.decode()
