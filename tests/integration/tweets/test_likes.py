"""Likes: counted, listed, exact however they arrive."""

import random

import pytest

from accounts.people import suspending
from storage.stores import associations
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.integration.tweeting import post, seen, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tests.work import work_off_everything
from tweets.kinds import LIKE
from tweets.writing.liking import like, unlike
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


def assert_truth_and_indexes(person_id: int, tweet_id: int, *, liked: bool) -> None:
    edges = associations()
    present = edges.find(person_id, LIKE, [tweet_id])
    assert list(present) == ([tweet_id] if liked else [])
    assert edges.newest_targets(person_id, LIKE, limit=10) == list(present.values())
    assert edges.newest_sources(tweet_id, LIKE, limit=10) == list(present.values())
    assert edges.count_sources(tweet_id, LIKE) == len(present)


def test_a_like_is_counted_and_shown_when_it_answers_and_gone_when_taken_back() -> None:
    author, fan = new_person(), new_person()
    tweet = post(author)
    client = ApiClient(fan)
    for method, liked in ((client.put, True), (client.put, True), (client.delete, False), (client.delete, False)):
        answer = method(f"/api/v1/tweets/{tweet}/like")
        assert answer.status_code == 200
        shown = answer.json()["data"]
        assert (shown["id"], shown["viewer"]["liked"], shown["counts"]["likes"]) == (str(tweet), liked, int(liked))
        assert client.get(f"/api/v1/tweets/{tweet}").json()["data"] == shown
        assert not seen(tweet, author).viewer.liked  # type: ignore[union-attr]
        assert_truth_and_indexes(fan.id, tweet, liked=liked)
    assert seen(tweet).viewer is None


def test_a_like_of_a_retweet_is_of_the_original() -> None:
    author, sharer, fan = new_person(), new_person(), new_person()
    tweet = post(author)
    retweet(viewer=viewer(sharer), tweet_id=tweet)
    [entry] = ApiClient().get(f"/api/v1/users/{sharer.username}/tweets").json()["data"]
    answer = ApiClient(fan).put(f"/api/v1/tweets/{entry['id']}/like").json()["data"]
    assert (answer["id"], answer["counts"]["likes"]) == (str(tweet), 1)
    assert seen(int(entry["id"]), fan).counts.likes == 1
    assert seen(int(entry["id"]), fan).viewer.liked  # type: ignore[union-attr]


@pytest.mark.parametrize(("method", "gone"), [("put", 404), ("delete", 204)])
@pytest.mark.parametrize("act", ["like", "retweet", "bookmark"])
def test_what_is_not_there_cannot_be_acted_on(act: str, method: str, gone: int) -> None:
    """What nobody can have marked any more is unmarked."""
    author, suspended, fan, staff = new_person(), new_person(), new_person(), new_person(staff=True)
    deleted, hidden = post(author), post(suspended)
    delete_tweet(tweet_id=deleted, viewer=viewer(author))
    suspending.suspend(suspended, by=staff)
    client = ApiClient(fan)
    statuses = {"12": gone, str(deleted): gone, str(hidden): gone, "x": 400, "9" * 60: 400, "0": 400}
    for tweet, status in statuses.items():
        assert getattr(client, method)(f"/api/v1/tweets/{tweet}/{act}").status_code == status
    assert getattr(ApiClient(), method)(f"/api/v1/tweets/{post(author)}/{act}").status_code == 401
    assert associations().count_targets(fan.id, act) == 0


def test_who_likes_a_tweet_newest_like_first_in_full_pages() -> None:
    author, staff = new_person(), new_person(staff=True)
    tweet = post(author)
    fans = [new_person() for _ in range(7)]
    for fan in fans:
        like(viewer=viewer(fan), tweet_id=tweet)
    suspending.suspend(fans[4], by=staff)
    expected = [fans[place].username for place in (6, 5, 3, 2, 1, 0)]
    client = ApiClient()
    names: list[str] = []
    path = f"/api/v1/tweets/{tweet}/likes?limit=4"
    sizes = []
    while path:
        page = client.get(path).json()
        names += [person["username"] for person in page["data"]]
        sizes.append(len(page["data"]))
        path = page["links"]["next"]
    assert names == expected
    assert sizes == [4, 2]
    assert "email" not in page["data"][0]
    up = client.get(page["links"]["prev"]).json()
    assert [person["username"] for person in up["data"]] == expected[:4]
    assert client.get("/api/v1/tweets/12/likes").status_code == 404


def test_what_somebody_likes_newest_like_first_in_full_pages() -> None:
    author, fan = new_person(), new_person()
    tweets = [post(author) for _ in range(6)]
    order = [2, 0, 5, 1, 4, 3]
    for place in order:
        like(viewer=viewer(fan), tweet_id=tweets[place])
    delete_tweet(tweet_id=tweets[1], viewer=viewer(author))
    unlike(viewer=viewer(fan), tweet_id=tweets[0])
    like(viewer=viewer(fan), tweet_id=tweets[0])
    expected = [str(tweets[place]) for place in (0, 3, 4, 5, 2)]
    client = ApiClient(author)
    first = client.get(f"/api/v1/users/{fan.username}/likes?limit=3").json()
    second = client.get(first["links"]["next"]).json()
    assert [tweet["id"] for tweet in first["data"] + second["data"]] == expected
    assert len(first["data"]) == 3
    assert second["meta"]["next_cursor"] is None
    up = client.get(second["links"]["prev"]).json()
    assert [tweet["id"] for tweet in up["data"]] == expected[:3]
    assert client.get("/api/v1/users/nobody_here/likes").status_code == 404


def test_fifty_likes_of_one_pair_at_once_are_one() -> None:
    author, fan = new_person(), new_person()
    tweet = post(author)
    run_together([lambda: like(viewer=viewer(fan), tweet_id=tweet)] * 50)
    assert_truth_and_indexes(fan.id, tweet, liked=True)
    assert seen(tweet, fan).counts.likes == 1
    assert seen(tweet, fan).viewer.liked  # type: ignore[union-attr]


def test_fifty_likes_and_unlikes_of_one_pair_at_once_agree_everywhere() -> None:
    author, fan = new_person(), new_person()
    tweet = post(author)
    seen(tweet, fan)
    acts = [like, unlike] * 25
    random.Random(4).shuffle(acts)
    run_together([lambda act=act: act(viewer=viewer(fan), tweet_id=tweet) for act in acts])  # type: ignore[misc]
    liked = tweet in associations().find(fan.id, LIKE, [tweet])
    assert_truth_and_indexes(fan.id, tweet, liked=liked)
    assert seen(tweet, fan).counts.likes == int(liked)
    assert seen(tweet, fan).viewer.liked == liked  # type: ignore[union-attr]


def test_fifty_people_at_once_are_all_counted() -> None:
    author, fans = new_person(), [new_person() for _ in range(50)]
    tweet = post(author)
    run_together([lambda fan=fan: like(viewer=viewer(fan), tweet_id=tweet) for fan in fans])  # type: ignore[misc]
    assert seen(tweet).counts.likes == 50
    assert associations().count_sources(tweet, LIKE) == 50


def test_a_like_while_redis_is_away_is_in_force_when_it_is_back() -> None:
    author, fan = new_person(), new_person()
    tweet = post(author)
    assert not seen(tweet, fan).viewer.liked  # type: ignore[union-attr]
    with timeline_redis_down():
        like(viewer=viewer(fan), tweet_id=tweet)
        assert seen(tweet, fan).viewer.liked  # type: ignore[union-attr]
        assert seen(tweet, fan).counts.likes == 1
    work_off_everything()
    assert seen(tweet, fan).viewer.liked  # type: ignore[union-attr]


def test_what_a_like_costs(product: str) -> None:
    author, fan = new_person(), new_person()
    first, second = post(author), post(author)
    like(viewer=viewer(fan), tweet_id=first)
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        like(viewer=viewer(fan), tweet_id=second)
    assert len(redis) <= 5
    assert sql == []
    if product == "cassandra":
        reads = ["execute_all"] * 3
        assert store == [*reads, "write_all", "write_all"], "tweet, edge, truth and levels, what is owed, and that"
