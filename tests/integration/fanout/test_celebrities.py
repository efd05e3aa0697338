"""Authors too big to push: the line between them and the others, and what is in force when answered."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import blocks, following, follows
from accounts.models import User
from fanout.delivery import celebrities, fan_out
from fanout.delivery.celebrities import AuthorDelivery, DeliveryMode
from fanout.timelines import materialised, recents, snapshots
from feed.timelines.home import home_page
from storage import stores
from storage.redis.node import timeline_node
from storage.web.paging import PageRequest
from tests.integration.fanout.attempting import run
from tests.integration.fanout.materialising import as_taken_before
from tests.integration.pulling import (
    a_celebrity,
    assert_right,
    followers_of,
    forget_counting,
    recent_list,
)
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, undo_retweet

pytestmark = pytest.mark.usefixtures("product")


class TestTheLine:
    def test_who_has_more_followers_than_the_limit_is_pulled_from_the_next_tweet_on(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 2
        author = new_person()
        readers = followers_of(author, 2)
        for reader in readers:
            home(reader)
        first = post(author)
        work_off_everything()
        assert celebrities.delivery_of(author.id) == AuthorDelivery(), "not above it"
        readers += followers_of(author, 1)
        second = post(author)
        work_off_everything()
        assert celebrities.delivery_of(author.id).mode is DeliveryMode.PULLED
        third = post(author)
        work_off_everything()
        assert all(home(reader) == [third, second, first] for reader in readers)
        assert all(third not in (in_redis(reader) or []) for reader in readers)
        assert_right(*readers, author)

    def test_who_has_less_than_four_fifths_of_it_is_pushed_again(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 5
        author = new_person()
        readers = followers_of(author, 6)
        ids = [post(author)]
        work_off_everything()
        for reader in readers:
            home(reader)
        for leaving in (5, 4):
            for reader in readers[leaving:]:
                follows.unfollow(reader.id, author.id)
            assert celebrities.delivery_of(author.id).mode is DeliveryMode.PULLED, "fewer, but not few enough"
            forget_counting(author)
            ids.append(post(author))
            work_off_everything()
        assert celebrities.delivery_of(author.id) == AuthorDelivery()
        for reader in readers[:4]:
            home(reader)
        ids.append(post(author))
        work_off_everything()
        assert all(in_redis(reader) == ids[::-1] for reader in readers[:4])
        assert_right(*readers[:4], author)

    def test_large_authors_are_counted_once_an_hour(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 10
        author = a_celebrity(new_person())
        forget_counting(author)
        with patch.object(following, "has_more_followers_than", return_value=True) as counted:
            for _ in range(3):
                post(author)
                work_off_everything()
        counted.assert_called_once_with(author.id, 8)

    def test_counting_stops_above_the_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(following, "FOLLOWERS_A_READ", 2)
        author = new_person()
        followers_of(author, 7)
        assert following.has_more_followers_than(author.id, 6)
        assert not following.has_more_followers_than(author.id, 7)
        with patch.object(following, "follower_page", wraps=following.follower_page) as pages:
            assert following.has_more_followers_than(author.id, 3)
        assert pages.call_count == 2

    def test_the_followers_of_all_buckets_count(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 3
        author = new_person()
        followers_of(author, 2)
        stores.associations().grow(author.id, "follow", 1)
        followers_of(author, 2)
        post(author)
        with patch.object(fan_out, "enqueue_part", fan_out.work_off_part):
            work_off_everything()
        assert celebrities.delivery_of(author.id).mode is DeliveryMode.PULLED

    def test_with_a_limit_of_nought_everybody_is_pushed(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 0
        reader = new_person()
        author = a_celebrity(reader)
        forget_counting(author)
        post(author)
        work_off_everything()
        assert celebrities.delivery_of(author.id) == AuthorDelivery()
        assert_right(reader, author)


@pytest.fixture
def reader() -> User:
    return new_person()


class TestWhatIsInForceWhenAnswered:
    def test_following_and_unfollowing(self, reader: User) -> None:
        author = a_celebrity()
        tweet = post(author)
        work_off_everything()
        assert home(reader) == []
        follows.follow(reader.id, author.id)
        assert home(reader) == [tweet]
        follows.unfollow(reader.id, author.id)
        assert home(reader) == []
        post(author)
        work_off_everything()
        assert home(reader) == []
        assert_right(reader)

    @pytest.mark.parametrize(("hide", "show"), [(blocks.mute, blocks.unmute), (blocks.block, blocks.unblock)])
    def test_muting_and_blocking(
        self, reader: User, hide: Callable[[int, int], None], show: Callable[[int, int], None]
    ) -> None:
        author = a_celebrity(reader)
        tweet = post(author)
        work_off_everything()
        assert home(reader) == [tweet]
        hide(reader.id, author.id)
        assert home(reader) == []
        show(reader.id, author.id)
        follows.follow(reader.id, author.id)
        assert home(reader) == [tweet]
        assert_right(reader)

    @pytest.mark.parametrize("delivered", [True, False])
    def test_a_deleted_tweet_is_gone_and_stays_gone(self, reader: User, settings: Settings, delivered: bool) -> None:
        """Though its order is worked off again, with and without its tombstone."""
        author = a_celebrity(reader)
        home(reader)
        kept, gone = post(author), post(author)
        orders = open_orders()
        if delivered:
            work_off_everything()
            assert home(reader) == [gone, kept]
        delete_tweet(tweet_id=gone, viewer=viewer(author))
        assert kept in home(reader) or not delivered
        assert gone not in home(reader)
        work_off_everything()
        tombstones = [materialised.gone_key(shard, gone) for shard in range(settings.TIMELINE_SHARDS)]
        for what_is_left in ([], tombstones):
            timeline_node().round_trip(*(("DEL", key) for key in what_is_left))
            for order in orders:
                run(order, resent=False)
        assert home(reader) == recent_list(reader, author) == [kept]
        assert_right(reader, author)

    def test_an_entry_of_before_the_crossing_is_taken_out_of_timelines(self, reader: User) -> None:
        author = new_person()
        follows.follow(reader.id, author.id)
        home(reader)
        gone = post(author)
        work_off_everything()
        celebrities.begin_pulling(author.id)
        delete_tweet(tweet_id=gone, viewer=viewer(author))
        work_off_everything()
        assert in_redis(reader) == []
        assert_right(reader, author)

    def test_a_deletion_during_a_list_s_build_is_not_merged_after_it(self, reader: User) -> None:
        author = a_celebrity(reader)
        gone = post(author)
        work_off_everything()
        original = recents.finish_builds

        def a_deletion_first(*args: Any) -> None:
            delete_tweet(tweet_id=gone, viewer=viewer(author))
            work_off_everything()
            original(*args)

        with patch.object(recents, "finish_builds", a_deletion_first):
            assert home(reader) == []
        assert recent_list(reader, author) == []

    def test_a_push_to_recent_lists_that_comes_too_late_is_repeated(self, reader: User) -> None:
        """The worker stood still after its snapshot; without the entry the list would lack it for good."""
        author = a_celebrity(reader)
        home(reader)
        tweet = post(author)
        old = as_taken_before(snapshots.take_snapshot(), 3_600_000_000)
        taken = [old, snapshots.take_snapshot(), snapshots.take_snapshot()]
        with patch.object(snapshots, "take_snapshot", side_effect=taken) as took:
            work_off_everything()
        assert took.call_count > 1, "the first one was refused"
        assert recent_list(reader, author) == [tweet]
        assert_right(reader, author)

    def test_retweets_by_a_pulled_author(self, reader: User) -> None:
        author, other = a_celebrity(reader), new_person()
        home(reader)
        original = post(other)
        retweet(viewer=viewer(author), tweet_id=original)
        work_off_everything()
        page = home_page(viewer(reader), PageRequest()).items
        assert [tweet.retweet_of.id for tweet in page if tweet.retweet_of] == [str(original)]
        undo_retweet(author_id=author.id, original_id=original, by=author.id)
        assert home(reader) == []
        assert_right(reader, author)
