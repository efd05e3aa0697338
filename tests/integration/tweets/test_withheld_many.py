"""What is withheld when it is very much, on one page, or counted in Redis already."""

from unittest.mock import patch

import pytest

from accounts.graph import follows, withheld
from storage.redis.node import timeline_node
from storage.stores import associations
from tests.integration.tweeting import post, seen, viewer
from tests.integration.tweets.withheld import assert_profile_is_its_lists, reacts, restore, suspend, worked_off
from tests.people import new_person
from tweets.caches import counts
from tweets.kinds import LIKE, WITHHELD_TWEET
from tweets.stores.port import tweet_store
from tweets.writing.liking import like
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


def test_of_very_many_that_are_withheld_some_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of eight, and the others are taken to be like them."""
    monkeypatch.setattr(withheld, "CHECKED", 4)
    author, trolls, fan = new_person(), [new_person() for _ in range(8)], new_person()
    tweet = post(author)
    for person in (*trolls, fan):
        like(viewer=viewer(person), tweet_id=tweet)
        follows.follow(person.id, author.id)
    for troll in trolls:
        suspend(troll)
    worked_off()
    assert seen(tweet).counts.likes == 1
    assert assert_profile_is_its_lists(author) == (1, 0, 1)
    assert associations().count_sources(tweet, LIKE) == 9


def test_of_very_many_likes_and_replies_both_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withheld, "CHECKED", 4)
    tweet, fan, trolls = post(new_person()), new_person(), [new_person() for _ in range(6)]
    for person in (*trolls, fan):
        like(viewer=viewer(person), tweet_id=tweet)
        post(person, reply_to=tweet)
    for troll in trolls:
        suspend(troll)
    worked_off()
    assert (seen(tweet).counts.likes, seen(tweet).counts.replies) == (1, 1)


def test_of_very_many_those_that_stand_for_nothing_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withheld, "CHECKED", 4)
    staff, fan, troll = new_person(staff=True), new_person(), new_person()
    tweet = post(new_person())
    replies = [post(troll, reply_to=tweet) for _ in range(8)]
    post(fan, reply_to=tweet)
    suspend(troll)
    worked_off()
    for reply in replies[:4]:
        delete_tweet(tweet_id=reply, viewer=viewer(staff))
    worked_off()
    for _ in range(2):
        counts.count([tweet])
    assert counts.count([tweet])[tweet].replies == 1
    assert associations().count_sources(tweet, WITHHELD_TWEET) == 4


def test_what_a_page_has_withheld_is_looked_up_together() -> None:
    troll = new_person()
    tweets = [post(new_person()) for _ in range(5)]
    for tweet in tweets:
        reacts(troll, tweet)
    suspend(troll)
    worked_off()
    with (
        patch.object(associations(), "find_pairs", wraps=associations().find_pairs) as pairs,
        patch.object(tweet_store(), "get_many", wraps=tweet_store().get_many) as rows,
    ):
        counted = counts.count(tweets)
    assert (pairs.call_count, rows.call_count) == (2, 1)
    assert set(counted.values()) == {counts.Counts()}


def test_counts_in_redis_are_told() -> None:
    """Each stands there, and is kept, before it changes."""
    author, troll, sharer = new_person(), new_person(), new_person()
    tweet, theirs = post(author), post(troll)
    like(viewer=viewer(troll), tweet_id=tweet)
    follows.follow(troll.id, author.id)
    follows.follow(author.id, troll.id)
    retweet(viewer=viewer(sharer), tweet_id=theirs)
    for change, of_author, of_sharer, likes in (
        (suspend, (0, 0, 1), (0, 0, 0), 0),
        (restore, (1, 1, 1), (0, 0, 1), 1),
    ):
        timeline_node().round_trip(("FLUSHALL",))
        for _ in range(2):
            assert_profile_is_its_lists(author)
            seen(tweet)
            assert_profile_is_its_lists(sharer)
        change(troll)
        worked_off()
        assert assert_profile_is_its_lists(author) == of_author
        assert assert_profile_is_its_lists(sharer) == of_sharer
        assert seen(tweet).counts.likes == likes
