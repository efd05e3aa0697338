"""Bookmarks: one's own list, which nobody else sees."""

import pytest

from storage.stores import associations
from tests.integration.tweeting import post, seen, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tweets.kinds import BOOKMARK
from tweets.stores.port import tweet_store
from tweets.writing.liking import bookmark, unbookmark
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


def test_bookmarks_are_listed_newest_first_in_full_pages() -> None:
    author, reader = new_person(), new_person()
    tweets = [post(author) for _ in range(6)]
    for place in (3, 1, 4, 0, 5, 2):
        bookmark(viewer=viewer(reader), tweet_id=tweets[place])
    delete_tweet(tweet_id=tweets[0], viewer=viewer(author))
    unbookmark(viewer=viewer(reader), tweet_id=tweets[5])
    client = ApiClient(reader)
    first = client.get("/api/v1/me/bookmarks?limit=2").json()
    second = client.get(first["links"]["next"]).json()
    ids = [int(tweet["id"]) for tweet in first["data"] + second["data"]]
    assert ids == [tweets[2], tweets[4], tweets[1], tweets[3]]
    assert second["meta"]["next_cursor"] is None
    assert all(tweet["viewer"]["bookmarked"] for tweet in first["data"])


def test_a_bookmark_is_in_force_when_it_answers_and_changes_no_count() -> None:
    author, reader = new_person(), new_person()
    tweet = post(author)
    client = ApiClient(reader)
    before = seen(tweet).counts
    for method, marked in ((client.put, True), (client.put, True), (client.delete, False), (client.delete, False)):
        shown = method(f"/api/v1/tweets/{tweet}/bookmark").json()["data"]
        assert shown["viewer"]["bookmarked"] is marked
        assert len(client.get("/api/v1/me/bookmarks").json()["data"]) == int(marked)
    assert seen(tweet).counts == before


def test_nobody_else_sees_them() -> None:
    author, reader = new_person(), new_person()
    tweet = post(author)
    bookmark(viewer=viewer(reader), tweet_id=tweet)
    assert ApiClient(author).get("/api/v1/me/bookmarks").json()["data"] == []
    assert ApiClient().get("/api/v1/me/bookmarks").status_code == 401
    assert not seen(tweet, author).viewer.bookmarked  # type: ignore[union-attr]


def test_a_bookmarked_retweet_is_the_original() -> None:
    author, sharer, reader = new_person(), new_person(), new_person()
    original = post(author)
    retweet(viewer=viewer(sharer), tweet_id=original)
    [entry] = tweet_store().retweets_of(original, sharer.id)
    bookmark(viewer=viewer(reader), tweet_id=entry)
    assert [tweet["id"] for tweet in ApiClient(reader).get("/api/v1/me/bookmarks").json()["data"]] == [str(original)]


def test_thirty_bookmarks_of_one_pair_at_once_are_one() -> None:
    reader = new_person()
    tweet = post(new_person())
    run_together([lambda: bookmark(viewer=viewer(reader), tweet_id=tweet)] * 30)
    assert associations().count_sources(tweet, BOOKMARK) == 1
    assert [edge.target for edge in associations().newest_targets(reader.id, BOOKMARK, limit=9)] == [tweet]
