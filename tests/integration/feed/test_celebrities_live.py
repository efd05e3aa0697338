"""Live delivery of pulled authors' tweets: to whom of the connected readers, and what their sockets show."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import follows
from accounts.models import User
from fanout.delivery import celebrities
from fanout.live import channel, presence
from fanout.live.channel import LiveKind, LiveMessage
from fanout.live.presence import Presence
from fanout.timelines import recents
from feed.timelines.home import InHome, newest_standing, stands_in_home
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from tests.ids import new_id
from tests.integration.pulling import (
    a_celebrity,
    counted_just_now,
)
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def reader() -> User:
    return new_person()


class TestLive:
    def published(self, shards: set[int], act: Callable[[], object]) -> list[LiveMessage]:
        """What was published on these shards while `act` ran."""
        client: Any = timeline_node().client()
        with client.pubsub() as subscription:
            subscription.subscribe(*(channel.channel(shard) for shard in shards))
            for _ in shards:
                subscription.get_message(timeout=20)
            act()
            timeline_node().round_trip(*(("PUBLISH", channel.channel(shard), b"") for shard in shards))
            found: list[LiveMessage] = []
            ends = 0
            while ends < len(shards):
                message = subscription.get_message(ignore_subscribe_messages=True, timeout=20)
                assert message is not None
                if message["data"]:
                    found.append(channel.decode(message["data"]))
                else:
                    ends += 1
        return found

    def test_connected_readers_who_merge_the_author_are_told_and_others_are_not(self) -> None:
        following, cold, other, absent = (new_person() for _ in range(4))
        author = a_celebrity(following, cold, absent)
        readers = [following, cold, other]
        for reader in (following, other, absent):
            home(reader)
        Presence().appear(reader.id for reader in readers)
        tweet = post(author)
        shards = {timeline_shard(reader.id) for reader in readers}
        told = self.published(shards, work_off_everything)
        assert {(message.kind, message.entry_id) for message in told} == {(LiveKind.TWEET, tweet)}
        assert sorted(each for message in told for each in message.readers) == sorted([following.id, cold.id])
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        home(cold)
        gone = self.published(shards, work_off_everything)
        assert {(message.kind, message.entry_id) for message in gone} == {(LiveKind.DELETE, tweet)}

    @pytest.mark.parametrize("change", ["crossed", "followed"])
    def test_a_connected_reader_whose_timeline_is_not_of_now_is_told_as_well(self, reader: User, change: str) -> None:
        """They have not read since their author crossed, or since they followed."""
        author = new_person()
        follows.follow(reader.id, author.id)
        if change == "followed":
            follows.unfollow(reader.id, author.id)
        work_off_everything()
        home(reader)
        Presence().appear([reader.id])
        celebrities.begin_pulling(author.id)
        counted_just_now(author)
        if change == "followed":
            home(reader)
            follows.follow(reader.id, author.id)
        tweet = post(author)
        [message] = self.published({timeline_shard(reader.id)}, work_off_everything)
        assert message == LiveMessage(LiveKind.TWEET, tweet, [reader.id])
        assert stands_in_home(reader.id, tweet) is InHome.UNKNOWN, "so the socket catches up from the page"
        assert home(reader) == [tweet]

    def test_everyone_connected_is_looked_through_page_by_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(presence, "SCANNED", 50)
        readers = [new_id() for _ in range(10_000)]
        Presence().appear(readers)
        pages = list(presence.everyone())
        assert {each for page in pages for shard in page.values() for each in shard} == set(readers)
        assert all(timeline_shard(each) == shard for page in pages for shard, some in page.items() for each in some)
        assert len(pages) > 1
        assert max(len(some) for page in pages for some in page.values()) < 600

    def test_looking_for_one_entry_asks_for_nothing_below_it(self, reader: User) -> None:
        author = a_celebrity(reader)
        home(reader)
        tweet = post(author)
        work_off_everything()
        with patch.object(recents, "read", wraps=recents.read) as read:
            assert stands_in_home(reader.id, tweet) is InHome.STANDS
            assert newest_standing(reader.id, 5)[:1] == [tweet]
        assert [each.kwargs["rest"] for each in read.call_args_list] == [0, 0]

    def test_an_entry_that_is_merged_stands_in_home(self, reader: User) -> None:
        author = a_celebrity(reader)
        home(reader)
        tweet = post(author)
        assert stands_in_home(reader.id, tweet) is InHome.MISSING
        work_off_everything()
        assert stands_in_home(reader.id, tweet) is InHome.STANDS
        follows.unfollow(reader.id, author.id)
        home(reader)
        assert stands_in_home(reader.id, tweet) is InHome.MISSING
