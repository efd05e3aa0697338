"""Polling every collection upwards, each with a write that becomes visible late."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from accounts.graph import follows
from accounts.models import User
from tests.ids import new_id
from tests.integration.polling import Poller, paused_before_it_is_written
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tweets.writing import liking
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


class Case(NamedTuple):
    """A collection, who reads it, two writes that add to it, and the ids that they add."""

    path: str
    reader: User
    slow: Callable[[], object]
    quick: Callable[[], object]
    added: tuple[int, int] | None = None


def tweets_of_somebody() -> Case:
    ann = new_person()
    post(ann)
    return Case(f"/users/{ann.username}/tweets", new_person(), lambda: post(ann), lambda: post(ann))


def without_replies() -> Case:
    case = tweets_of_somebody()
    return case._replace(path=f"{case.path}?replies=false")


def the_public_feed() -> Case:
    ann, bob = new_person(), new_person()
    post(ann)
    return Case("/feed/public", new_person(), lambda: post(ann), lambda: post(bob))


def a_hashtag() -> Case:
    ann, bob, tag = new_person(), new_person(), f"tag{new_id()}"
    tweet = post(ann, f"#{tag}")
    slow, quick = (lambda each=each: post(each, f"#{tag}", reply_to=tweet) for each in (ann, bob))
    return Case(f"/hashtags/{tag}/tweets", new_person(), slow, quick)


def replies() -> Case:
    ann, bob = new_person(), new_person()
    tweet = post(ann)
    post(ann, reply_to=tweet)
    return Case(f"/tweets/{tweet}/replies", ann, lambda: post(ann, reply_to=tweet), lambda: post(bob, reply_to=tweet))


def a_thread_s_replies() -> Case:
    case = replies()
    return case._replace(path=case.path.replace("/replies", "/thread"))


def who_likes() -> Case:
    ann, bob, cid = new_person(), new_person(), new_person()
    tweet = post(ann)
    liking.like(viewer=viewer(ann), tweet_id=tweet)
    slow, quick = (lambda each=each: liking.like(viewer=viewer(each), tweet_id=tweet) for each in (bob, cid))
    return Case(f"/tweets/{tweet}/likes", ann, slow, quick, (bob.id, cid.id))


def who_retweeted() -> Case:
    ann, bob, cid = new_person(), new_person(), new_person()
    tweet = post(ann)
    retweet(viewer=viewer(ann), tweet_id=tweet)
    slow, quick = (lambda each=each: retweet(viewer=viewer(each), tweet_id=tweet) for each in (bob, cid))
    return Case(f"/tweets/{tweet}/retweets", ann, slow, quick, (bob.id, cid.id))


def followers() -> Case:
    ann, bob, cid, dan = (new_person() for _ in range(4))
    follows.follow(dan.id, ann.id)
    slow, quick = (lambda each=each: follows.follow(each.id, ann.id) for each in (bob, cid))
    return Case(f"/users/{ann.username}/followers", ann, slow, quick, (bob.id, cid.id))


def following() -> Case:
    ann, bob, cid, dan = (new_person() for _ in range(4))
    follows.follow(ann.id, dan.id)
    slow, quick = (lambda each=each: follows.follow(ann.id, each.id) for each in (bob, cid))
    return Case(f"/users/{ann.username}/following", ann, slow, quick, (bob.id, cid.id))


def _marked(path: str, ann: User, mark: Callable[..., int]) -> Case:
    tweets = [post(ann) for _ in range(3)]
    mark(viewer=viewer(ann), tweet_id=tweets[0])
    slow, quick = (lambda each=each: mark(viewer=viewer(ann), tweet_id=each) for each in tweets[1:])
    return Case(path, ann, slow, quick, (tweets[1], tweets[2]))


def likes() -> Case:
    ann = new_person()
    return _marked(f"/users/{ann.username}/likes", ann, liking.like)


def bookmarks() -> Case:
    return _marked("/me/bookmarks", new_person(), liking.bookmark)


COLLECTIONS = (
    tweets_of_somebody,
    without_replies,
    the_public_feed,
    a_hashtag,
    replies,
    who_likes,
    who_retweeted,
    followers,
    following,
    likes,
    bookmarks,
)


@pytest.mark.parametrize("limit", [1, 20])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_was_under_way_is_shown_in_every_collection(collection: Callable[[], Case], limit: int) -> None:
    case = collection()
    poller = Poller(ApiClient(case.reader), case.path, limit=limit)
    with paused_before_it_is_written(case.slow) as slow:
        assert slow.go_on()
        case.quick()
        [quick] = poller.poll()
        assert poller.poll() == []
    new = [each for _ in range(4) for each in poller.poll()]
    assert len(new) == 1
    assert case.added in (None, (new[0], quick))
    assert poller.poll() == []


def test_a_thread_s_cursor_is_safe_as_well() -> None:
    case = a_thread_s_replies()
    client = ApiClient(case.reader)
    link = client.get(f"/api/v1{case.path}").json()["links"]["prev"]
    with paused_before_it_is_written(case.slow) as slow:
        assert slow.go_on()
        case.quick()
        body = client.get(link).json()
        assert len(body["data"]["replies"]) == 1
    again = client.get(body["links"]["prev"]).json()["data"]["replies"]
    assert again[0]["id"] == body["data"]["replies"][0]["id"], "shown again, with what has come below it"
    assert len(again) == 3
