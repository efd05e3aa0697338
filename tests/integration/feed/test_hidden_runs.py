"""Long runs of what may not be shown: no page is empty, or short, while there is more behind them."""

from collections.abc import Callable, Sequence

import pytest

from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people import suspending
from storage.ids.snowflakes import make_id, now_us
from storage.ports.associations import MAX_CHANGES, Change
from storage.stores import associations, ids
from storage.web import walking
from tests.ids import new_id
from tests.integration.feed.reading import a_reader_of
from tests.integration.querying import Door
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.entities import Entities, Tweet
from tweets.kinds import BOOKMARK, LIKE, RETWEET
from tweets.stores.port import tweet_store
from tweets.writing import liking

pytestmark = pytest.mark.usefixtures("product")

MANY, SOME = 1_300, 90


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be on a page is found however busy the machine is."""
    monkeypatch.setattr(walking, "WALK_SECONDS", 60.0)


def write(author: User, tweet_id: int) -> None:
    """Without an order: the timelines of followers are cold."""
    tweet = Tweet(
        id=tweet_id, author_id=author.id, text="hello", conversation_id=tweet_id, in_home=True, entities=Entities()
    )
    tweet_store().add(tweet, None)


def write_many(author: User) -> None:
    start = now_us() - MANY * 1_000
    for number in range(MANY):
        write(author, make_id(start + number * 1_000, 4_001))


def mark_many(changes: Sequence[Change]) -> None:
    for start in range(0, len(changes), MAX_CHANGES):
        associations().apply(changes[start : start + MAX_CHANGES])


def assert_one_by_one(client: ApiClient, path: str, expected: Sequence[int]) -> None:
    """Page by page of one item: each holds one, and the last leads no further."""
    link: str | None = f"/api/v1{path}?limit=1"
    found: list[int] = []
    while link:
        body = client.get(link).json()
        assert len(body["data"]) == 1, f"an empty page after {len(found)}"
        found.append(int(body["data"][0]["id"]))
        link = body["links"]["next"]
    assert found == list(expected)


def test_home_and_public_by_rest_and_graphql() -> None:
    quiet, loud, staff = new_person(), new_person(), new_person(staff=True)
    reader = a_reader_of(quiet, loud)
    old = make_id(now_us() - 3_600 * 1_000_000, 4_002)
    write(quiet, old)
    write_many(loud)
    new = post(quiet)
    work_off_everything()
    suspending.suspend(loud, by=staff)
    for path in ("/feed/home", "/feed/public"):
        body = ApiClient(reader).get(f"/api/v1{path}?limit=1").json()
        assert [int(each["id"]) for each in body["data"]] == [new]
        body = ApiClient(reader).get(body["links"]["next"]).json()
        assert [int(each["id"]) for each in body["data"]] == [old], path
    first = Door(reader).home(first=1)
    second = Door(reader).home(first=1, after=first["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for edge in second["edges"]] == [str(old)]
    assert second["pageInfo"]["hasNextPage"] is False
    up = ApiClient(reader).get(f"/api/v1/feed/home?limit=1&since={second['pageInfo']['startCursor']}").json()
    assert [int(each["id"]) for each in up["data"]] == [new]


@pytest.mark.parametrize(
    ("kind", "mark", "path", "hidden"),
    [(BOOKMARK, liking.bookmark, "/me/bookmarks", MANY), (LIKE, liking.like, "/users/{}/likes", SOME)],
)
def test_marked_tweets(kind: str, mark: Callable[..., int], path: str, hidden: int) -> None:
    """Tweets that are not there, as those that are hidden, between two that are."""
    ann, bob = new_person(), new_person()
    one, two = post(ann), post(ann)
    mark(viewer=viewer(bob), tweet_id=one)
    mark_many([Change(bob.id, kind, new_id(), ids.next(), present=True) for _ in range(hidden)])
    mark(viewer=viewer(bob), tweet_id=two)
    assert_one_by_one(ApiClient(bob), path.format(bob.username), [two, one])


@pytest.mark.parametrize(
    ("kind", "path", "hidden"),
    [
        (FOLLOW, "/users/{name}/followers", MANY),
        (LIKE, "/tweets/{id}/likes", SOME),
        (RETWEET, "/tweets/{id}/retweets", SOME),
    ],
)
def test_people(kind: str, path: str, hidden: int) -> None:
    """People who are not there, as those that are hidden, between two who are."""
    ann, bob, cid = new_person(), new_person(), new_person()
    tweet = post(ann)
    target = ann.id if kind == FOLLOW else tweet
    mark_many([Change(cid.id, kind, target, ids.next(), present=True)])
    mark_many([Change(new_id(), kind, target, ids.next(), present=True) for _ in range(hidden)])
    mark_many([Change(bob.id, kind, target, ids.next(), present=True)])
    assert_one_by_one(ApiClient(), path.format(name=ann.username, id=tweet), [bob.id, cid.id])


def test_nothing_found_in_time_is_a_problem_that_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, loud, staff = new_person(), new_person(), new_person(staff=True)
    post(quiet)
    client, door = ApiClient(), Door(a_reader_of(quiet, loud))
    for _ in range(3):
        post(loud)
    suspending.suspend(loud, by=staff)
    monkeypatch.setattr(walking, "WALK_SECONDS", 0.0)
    answer = client.get("/api/v1/feed/public?limit=1")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "unavailable"
    errors = door.errors("{ homeTimeline(first: 1) { edges { cursor } } }", status=200)
    assert errors[0]["extensions"]["code"] == "unavailable"
    monkeypatch.undo()
    assert len(client.get("/api/v1/feed/public?limit=1").json()["data"]) == 1
