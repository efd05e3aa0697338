"""The interleavings of delivery and retraction, one at a time.

Each test stops a worker or an author at one step, lets a deletion do the whole of its work, and goes on.
"""

import pytest

from accounts.graph import following
from fanout.orders import handlers
from fanout.orders.kinds import RETRACT
from fanout.timelines import materialised
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard
from tests.integration.fanout.attempting import run
from tests.integration.fanout.overtaking import after, assert_right, followed_by
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, undo_retweet

pytestmark = pytest.mark.usefixtures("product")


class TestADeletionOvertakesADelivery:
    def test_the_retraction_is_worked_off_between_list_and_push(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        tweet = post(author)

        def delete_and_retract() -> None:
            delete_tweet(tweet_id=tweet, viewer=viewer(author))
            [retraction] = [order for order in open_orders() if order.kind == RETRACT]
            handlers.work_off(retraction)

        with after(following, "follower_page", delete_and_retract):
            work_off_everything()
        assert in_redis(reader) == in_redis(author) == []
        assert_right(reader, author)

    def test_the_delivery_is_repeated_after_the_tombstone_has_ended(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        tweet = post(author)
        orders = open_orders()
        work_off_everything()
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        work_off_everything()
        shards = by_shard([reader.id, author.id])
        timeline_node().round_trip(*(("DEL", materialised.gone_key(shard, tweet)) for shard in shards))
        for order in orders:
            run(order, resent=False)
        assert in_redis(reader) == in_redis(author) == []

    def test_the_author_s_own_push_arrives_after_the_retraction(self) -> None:
        author = followed_by()

        def delete_and_retract() -> None:
            [order] = open_orders()
            delete_tweet(tweet_id=order.args[0], viewer=viewer(author))
            work_off_everything()

        with after(tweet_store(), "add", delete_and_retract):
            post(author)
        assert in_redis(author) == []
        assert_right(author)

    @pytest.mark.parametrize("again", [False, True])
    def test_and_redis_was_emptied_in_between(self, again: bool) -> None:
        """The tombstone is forgotten, but not that the push is of before."""
        author = followed_by()

        def delete_and_flush() -> None:
            [order] = open_orders()
            delete_tweet(tweet_id=order.args[0], viewer=viewer(author))
            work_off_everything()
            timeline_node().round_trip(("FLUSHALL",))
            if again:
                home(author)

        with after(tweet_store(), "add", delete_and_flush):
            post(author)
        home(author)
        assert in_redis(author) == []

    def test_of_a_retweet_as_well(self) -> None:
        reader = new_person()
        author = followed_by(reader)
        original = post(new_person())
        work_off_everything()
        retweet(viewer=viewer(author), tweet_id=original)

        def undo() -> None:
            undo_retweet(author_id=author.id, original_id=original, by=author.id)
            [retraction] = [order for order in open_orders() if order.kind == RETRACT]
            handlers.work_off(retraction)

        with after(following, "follower_page", undo):
            work_off_everything()
        assert in_redis(reader) == []
        assert_right(reader, author)
