"""What crossing the line of PUSH_MAX_FOLLOWERS costs readers and workers."""

from unittest.mock import patch

import pytest

from accounts.graph import following, follows
from fanout.delivery import celebrities
from fanout.timelines import builds, materialised
from feed.timelines import home as home_module
from feed.timelines import rebuild
from storage.redis.node import timeline_node
from tests.backends import counted_round_trips, counted_store_calls
from tests.integration.fanout.crossing import Scene, deliver
from tests.integration.pulling import (
    a_celebrity,
)
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.stepping import Stepped
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("one_shard", "product")


class TestWhatACrossingCosts:
    def test_a_reader_of_others_revalidates_without_a_rebuild(self) -> None:
        reader, author = new_person(), new_person()
        follows.follow(reader.id, author.id)
        tweet = post(author)
        work_off_everything()
        home(reader)
        celebrities.begin_pulling(new_person().id)
        with patch.object(home_module, "rebuild") as rebuilt:
            assert home(reader) == [tweet]
        rebuilt.assert_not_called()
        with counted_round_trips() as redis, counted_store_calls() as store:
            assert home(reader) == [tweet]
        assert (len(redis), store) == (2, [])

    def test_a_crossing_while_a_reader_revalidates_is_not_missed(self) -> None:
        """The reader has looked who is pulled; then their author crosses; then they revalidate."""
        scene = Scene()
        celebrities.raise_epoch()
        with Stepped(lambda: home(scene.constant), after=[(rebuild, "merge_set")]) as reading:
            reading.go_on()
            celebrities.begin_pulling(scene.author.id)
        scene.ids.append(scene.post_and_deliver())
        scene.everybody_sees()
        assert scene.ids[-1] not in (in_redis(scene.constant) or [])

    def test_a_timeline_made_anew_meanwhile_is_not_revalidated(self) -> None:
        scene = Scene()
        celebrities.raise_epoch()
        [found] = timeline_node().ask(builds.standing(scene.constant.id))
        assert found is not None
        scene.comes_back()
        timeline_node().round_trip(materialised.discard_command(scene.constant.id))
        home(scene.constant)
        assert not builds.revalidate(found)

    def test_of_a_crossed_author_s_tweet_nothing_is_read_but_once_who_they_are(self) -> None:
        author = a_celebrity(new_person())
        tweet = post(author)
        with patch.object(following, "follower_page") as read:
            deliver(tweet)
        read.assert_not_called()
