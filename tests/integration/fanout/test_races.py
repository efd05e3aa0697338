"""The interleavings of delivery, changes of the graph, rebuilds and the emptying of Redis, one at a time.

Each test stops a worker or a reader at one step, lets another do the whole of its work, and goes on.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks, following, follows
from fanout.orders import handlers
from fanout.timelines import materialised
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from tests.integration.fanout.overtaking import after, assert_right, followed_by
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


class TestAReaderLeavesWhileAWorkerPushes:
    @pytest.mark.parametrize("leave", [follows.unfollow, blocks.block])
    def test_after_the_list_of_followers_was_read(self, leave: Callable[[int, int], None]) -> None:
        reader, other = new_person(), new_person()
        author = followed_by(reader, other)
        tweet = post(author)

        def leaves_and_reads() -> None:
            leave(reader.id, author.id)
            assert home(reader) == []

        with after(following, "follower_page", leaves_and_reads):
            work_off_everything()
        assert in_redis(reader) == []
        assert home(reader) == []
        assert home(other) == [tweet]
        assert_right(reader, other)

    def test_and_follows_again_before_the_push(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        tweet = post(author)

        def leaves_and_returns() -> None:
            for change in (follows.unfollow, follows.follow):
                change(reader.id, author.id)
                home(reader)

        with after(following, "follower_page", leaves_and_returns):
            work_off_everything()
        assert home(reader) == [tweet]
        assert_right(reader)

    def test_a_reader_who_was_away_when_the_list_was_read_has_what_was_posted_before(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        timeline_node().round_trip(materialised.discard_command(reader.id))
        tweet = post(author)
        with after(following, "follower_page", lambda: home(reader)):
            work_off_everything()
        assert in_redis(reader) == [tweet]
        assert_right(reader)


def test_what_a_muted_author_posts_is_not_shown_and_no_fault() -> None:
    reader = new_person()
    author = followed_by(reader)
    blocks.mute(reader.id, author.id)
    home(reader)
    tweet = post(author)
    work_off_everything()
    assert in_redis(reader) == [tweet], "pushed to all who follow"
    assert home(reader) == []
    assert_right(reader)
    blocks.unmute(reader.id, author.id)
    assert home(reader) == [tweet]


class TestARebuildIsOvertaken:
    def test_by_a_deletion_after_its_pull(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        kept, deleted = post(author), post(author)
        work_off_everything()
        timeline_node().round_trip(materialised.discard_command(reader.id))

        def delete_and_retract() -> None:
            delete_tweet(tweet_id=deleted, viewer=viewer(author))
            work_off_everything()

        with after(tweet_store(), "home_entries", delete_and_retract):
            home(reader)
        assert in_redis(reader) == [kept]
        assert_right(reader)

    def test_by_a_delivery_after_its_pull(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        timeline_node().round_trip(materialised.discard_command(reader.id))
        tweets: list[int] = []

        def post_and_deliver() -> None:
            tweets.append(post(author))
            work_off_everything()

        with after(tweet_store(), "home_entries", post_and_deliver):
            home(reader)
        assert in_redis(reader) == tweets
        assert_right(reader)

    def test_by_an_unfollow_after_its_pull(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        post(author)
        timeline_node().round_trip(materialised.discard_command(reader.id))
        with after(tweet_store(), "home_entries", lambda: follows.unfollow(reader.id, author.id)):
            home(reader)
        assert in_redis(reader) is None
        assert home(reader) == []
        assert_right(reader)


class TestRedisIsEmptiedWhileAWorkerPushes:
    def test_the_page_is_read_and_pushed_again(self) -> None:
        reader, gone = new_person(), new_person()
        author = followed_by(reader, gone)
        tweet = post(author)

        def flush_and_read() -> None:
            follows.unfollow(gone.id, author.id)
            timeline_node().round_trip(("FLUSHALL",))
            assert home(reader) == [tweet]
            assert home(gone) == []

        with after(following, "follower_page", flush_and_read):
            work_off_everything()
        assert in_redis(reader) == [tweet]
        assert in_redis(gone) == []
        assert_right(reader, gone)

    def test_a_page_that_is_never_in_time_leaves_the_order_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader = new_person()
        author = followed_by(reader)
        tweet = post(author)
        [order] = open_orders()
        monkeypatch.setattr(materialised, "SNAPSHOT_SECONDS", 0)
        with pytest.raises(Unavailable):
            handlers.work_off(order)
        monkeypatch.undo()
        assert open_orders() == [order]
        work_off_everything()
        assert in_redis(reader) == [tweet]


class TestOnesOwnTweetAtOnce:
    """Though the author's push is refused, since it is of a generation before."""

    @pytest.mark.parametrize("seen", [True, False])
    def test_when_redis_was_emptied_and_the_timeline_made_anew_before_the_write(self, seen: bool) -> None:
        author = followed_by()
        add = tweet_store().add

        def flush_read_and_add(*args: Any, **kwargs: Any) -> None:
            timeline_node().round_trip(("FLUSHALL",))
            home(author)
            add(*args, **kwargs)

        if not seen:
            timeline_node().seen = {}
        with patch.object(tweet_store(), "add", flush_read_and_add):
            tweet = post(author)
        assert home(author) == [tweet]
