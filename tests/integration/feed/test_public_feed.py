"""The public feed: everybody's newest tweets, for everybody."""

from typing import Any

import pytest

from accounts.models import User
from accounts.people import suspending
from storage.cassandra import session
from tests.backends import timeline_redis_down
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tweets.writing.posting import delete_tweet


@pytest.fixture(autouse=True)
def empty_feed(product: str) -> None:
    """Everybody's tweets: also those of other tests, on a node that they share."""
    if product == "cassandra":
        session.execute("TRUNCATE public_tweets")


def page(query: str = "", person: User | None = None) -> Any:
    answer = ApiClient(person).get(f"/api/v1/feed/public{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def shown(query: str = "", person: User | None = None) -> list[int]:
    return [int(tweet["id"]) for tweet in page(query, person)["data"]]


def test_everybodys_tweets_are_there_at_once_newest_first_and_without_signing_in() -> None:
    assert shown() == []
    ada, bob = new_person(), new_person()
    ids = [post(ada), post(bob), post(ada)]
    assert shown() == shown(person=ada) == ids[::-1]
    assert page()["data"][0]["viewer"] is None
    assert page(person=bob)["data"][0]["viewer"] == {"liked": False, "retweeted": False, "bookmarked": False}


def test_quotes_and_threads_are_in_and_replies_to_others_are_not() -> None:
    ada, bob = new_person(), new_person()
    tweet = post(ada)
    quote, thread = post(bob, quote_of=tweet), post(ada, reply_to=tweet)
    post(bob, reply_to=tweet)
    assert shown() == [thread, quote, tweet]


def test_the_deleted_and_the_suspended_are_made_up_for() -> None:
    ada, bob = new_person(), new_person()
    ids = [post(bob if place % 2 else ada) for place in range(8)]
    suspending.suspend(bob, by=new_person(staff=True))
    delete_tweet(tweet_id=ids[4], viewer=viewer(ada))
    first = page("?limit=2")
    assert [int(tweet["id"]) for tweet in first["data"]] == [ids[6], ids[2]]
    rest = ApiClient().get(first["links"]["next"]).json()
    assert [int(tweet["id"]) for tweet in rest["data"]] == [ids[0]]
    assert rest["links"]["next"] is None


def test_pages_go_back_to_the_first_tweet_and_up_again() -> None:
    author = new_person()
    ids = [post(author) for _ in range(7)]
    seen: list[int] = []
    path: str | None = "/api/v1/feed/public?limit=3"
    while path:
        answer = ApiClient().get(path).json()
        seen += [int(tweet["id"]) for tweet in answer["data"]]
        path = answer["links"]["next"]
    assert seen == ids[::-1]
    newer = [post(author) for _ in range(2)]
    first = page("?limit=9")
    since = ApiClient().get(first["links"]["prev"]).json()
    assert since["data"] == []
    lowest = page(f"?limit=1&cursor={first['meta']['prev_cursor']}")
    above = page(f"?limit=9&since={lowest['meta']['prev_cursor']}")
    assert [int(tweet["id"]) for tweet in above["data"]] == newer[1:]


def test_it_works_while_redis_is_down() -> None:
    tweet = post(new_person())
    with timeline_redis_down():
        assert shown() == [tweet]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?limit=x", "?cursor=forged", "?since="])
def test_what_cannot_be_read_is_refused(query: str) -> None:
    assert ApiClient().get(f"/api/v1/feed/public{query}").status_code == 400
