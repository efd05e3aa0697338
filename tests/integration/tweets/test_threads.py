"""Replies to a tweet, and the thread that leads to it."""

from typing import Any
from unittest.mock import patch

import pytest

from accounts.models import User
from accounts.people import suspending
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.web import walking
from tests.backends import counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tweets.entities import PATH_MAX, Tweet
from tweets.reading.threads import ANCESTORS_MAX
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def chain(authors: list[User], length: int) -> list[int]:
    """Tweets of which each answers the one before it, written by the authors in turn."""
    ids: list[int] = []
    for place in range(length):
        ids.append(post(authors[place % len(authors)], reply_to=ids[-1] if ids else None))
    return ids


def delete(author: User, tweet_id: int) -> None:
    delete_tweet(tweet_id=tweet_id, viewer=viewer(author))


def suspend(person: User) -> None:
    suspending.suspend(person, by=new_person(staff=True))


def get(path: str, person: User | None = None) -> Any:
    answer = ApiClient(person).get(f"/api/v1/tweets/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids_of(tweets: list[dict[str, Any]]) -> list[int]:
    return [int(tweet["id"]) for tweet in tweets]


def status(path: str) -> int:
    return ApiClient().get(f"/api/v1/tweets/{path}").status_code


def test_replies_are_direct_ones_newest_first_and_paged() -> None:
    author, other = new_person(), new_person()
    root = post(author)
    replies = [post(other, reply_to=root) for _ in range(5)]
    post(author, reply_to=replies[0])
    assert ids_of(get(f"{root}/replies")["data"]) == replies[::-1]
    seen: list[int] = []
    path: str | None = f"/api/v1/tweets/{root}/replies?limit=2"
    while path:
        page = ApiClient().get(path).json()
        seen += ids_of(page["data"])
        path = page["links"]["next"]
        assert path is None or len(page["data"]) == 2
    assert seen == replies[::-1]


def test_pages_of_replies_are_full_though_some_are_hidden() -> None:
    author, suspended = new_person(), new_person()
    root = post(author)
    ids = [post(suspended if place % 2 else author, reply_to=root) for place in range(8)]
    suspend(suspended)
    page = get(f"{root}/replies?limit=3")
    assert ids_of(page["data"]) == [ids[6], ids[4], ids[2]]
    assert page["meta"]["next_cursor"] is not None
    rest = get(f"{root}/replies?limit=3&cursor={page['meta']['next_cursor']}")
    assert ids_of(rest["data"]) == [ids[0]]
    assert rest["meta"]["next_cursor"] is None


def test_a_thread_has_ancestors_oldest_first_the_tweet_and_its_replies() -> None:
    ada, bob = new_person(), new_person()
    ids = chain([ada, bob], 4)
    replies = [post(bob, reply_to=ids[2]) for _ in range(2)]
    thread = get(f"{ids[2]}/thread", ada)
    assert ids_of(thread["data"]["ancestors"]) == ids[:2]
    assert thread["data"]["tweet"]["id"] == str(ids[2])
    assert thread["data"]["tweet"]["conversation_id"] == str(ids[0])
    assert thread["data"]["tweet"]["viewer"] is not None
    assert ids_of(thread["data"]["replies"]) == [*replies[::-1], ids[3]]
    root = get(f"{ids[0]}/thread")
    assert root["data"]["ancestors"] == []
    assert root["data"]["tweet"]["viewer"] is None


def test_the_cursor_of_a_thread_goes_on_with_its_replies() -> None:
    author = new_person()
    root = post(author)
    middle = post(author, reply_to=root)
    replies = [post(author, reply_to=middle) for _ in range(3)]
    first = get(f"{middle}/thread?limit=2")
    assert ids_of(first["data"]["replies"]) == replies[:0:-1]
    assert first["meta"]["limit"] == 2
    second = ApiClient().get(first["links"]["next"]).json()
    assert ids_of(second["data"]["replies"]) == replies[:1]
    assert ids_of(second["data"]["ancestors"]) == [root]
    assert second["meta"]["next_cursor"] is None
    assert ids_of(get(f"{middle}/replies?cursor={first['meta']['next_cursor']}")["data"]) == replies[:1]


def test_a_hidden_ancestor_is_a_gap_and_not_the_end() -> None:
    ada, bob = new_person(), new_person()
    ids = chain([ada, ada, bob, ada, ada], 5)
    delete(ada, ids[1])
    suspend(bob)
    assert ids_of(get(f"{ids[4]}/thread")["data"]["ancestors"]) == [ids[0], ids[3]]


@pytest.mark.parametrize("depth", [PATH_MAX - 1, PATH_MAX, PATH_MAX + 1, ANCESTORS_MAX + 20])
def test_deep_threads_are_whole_up_to_the_bound(depth: int) -> None:
    author = new_person()
    ids = chain([author], depth + 1)
    if depth > 2 * PATH_MAX:
        for place in range(depth - 2 * PATH_MAX, depth - PATH_MAX):
            delete(author, ids[place])
    present = [each for place, each in enumerate(ids) if not depth - 2 * PATH_MAX <= place < depth - PATH_MAX]
    expected = [each for each in (present if depth > 2 * PATH_MAX else ids)[:-1] if each in ids[-ANCESTORS_MAX - 1 :]]
    assert ids_of(get(f"{ids[-1]}/thread")["data"]["ancestors"]) == expected


def test_a_deep_thread_costs_a_read_for_many_levels() -> None:
    author = new_person()
    ids = chain([author], ANCESTORS_MAX + 2)
    timeline_node().round_trip(("FLUSHALL",))
    with counted_store_calls() as calls:
        assert len(get(f"{ids[-1]}/thread")["data"]["ancestors"]) == ANCESTORS_MAX
    reads = -(-ANCESTORS_MAX // PATH_MAX) + 1
    assert len(calls) <= reads + 10, "the rest is hydration, counts and the listing of replies"
    with counted_store_calls() as calls:
        get(f"{ids[-1]}/thread")
    assert len(calls) <= 2, "warm, only the replies are listed"


def test_replies_written_without_a_path_are_walked_one_by_one() -> None:
    author = new_person()
    ids = [post(author)]
    for _ in range(3):
        tweet = Tweet(
            id=new_id(), author_id=author.id, text="a", conversation_id=ids[0], in_home=True, reply_to_id=ids[-1]
        )
        tweet_store().add(tweet, None)
        ids.append(tweet.id)
    assert ids_of(get(f"{ids[-1]}/thread")["data"]["ancestors"]) == ids[:-1]


def test_threads_work_while_redis_is_down() -> None:
    ids = chain([new_person()], PATH_MAX + 3)
    with timeline_redis_down():
        assert ids_of(get(f"{ids[-1]}/thread")["data"]["ancestors"]) == ids[:-1]


@on_one_store
@pytest.mark.parametrize("route", ["replies", "thread"])
def test_what_is_gone_or_unreadable_is_answered_as_such(route: str) -> None:
    author, suspended = new_person(), new_person()
    deleted, hidden, shown = post(author), post(suspended), post(author)
    post(author, reply_to=deleted)
    delete(author, deleted)
    suspend(suspended)
    for missing in (deleted, hidden, new_id()):
        assert status(f"{missing}/{route}") == 404
    for bad in (
        f"{10**30}/{route}",
        f"abc/{route}",
        f"{'9' * 60}/{route}",
        f"{shown}/{route}?limit=0",
        f"{shown}/{route}?cursor=forged",
    ):
        assert status(bad) == 400
    assert status(f"{shown}/{route}") == 200


@on_one_store
def test_a_tweet_that_is_gone_is_so_before_anybody_walks_its_replies() -> None:
    """All of them are hidden, so a walk finds nothing in its time."""
    author, suspended = new_person(), new_person()
    deleted, shown = post(author), post(author)
    for _ in range(3):
        post(suspended, reply_to=deleted)
        post(suspended, reply_to=shown)
    delete(author, deleted)
    suspend(suspended)
    with patch.object(walking, "WALK_SECONDS", 0):
        assert status(f"{shown}/thread?limit=1") == 503
        assert status(f"{deleted}/thread?limit=1") == 404


@on_one_store
def test_a_tweet_that_is_known_to_be_gone_is_so_while_the_store_is_away() -> None:
    author = new_person()
    deleted, shown = post(author), post(author)
    delete(author, deleted)
    for each in (deleted, shown):
        status(f"{each}/thread")
    with patch.object(type(tweet_store()), "replies", side_effect=Unavailable("store")):
        assert status(f"{shown}/thread") == 503
        assert status(f"{deleted}/thread") == 404


def test_the_conversation_of_a_retweet_is_its_originals() -> None:
    author, other = new_person(), new_person()
    root = post(author)
    original = post(author, reply_to=root)
    reply = post(other, reply_to=original)
    retweet = new_id()
    tweet_store().add(
        Tweet(
            id=retweet,
            author_id=other.id,
            text="",
            conversation_id=original,
            in_home=True,
            retweet_of_id=original,
        ),
        None,
    )
    assert ids_of(get(f"{retweet}/replies")["data"]) == [reply]
    thread = get(f"{retweet}/thread")["data"]
    assert (ids_of(thread["ancestors"]), thread["tweet"]["id"], ids_of(thread["replies"])) == (
        [root],
        str(retweet),
        [reply],
    )
