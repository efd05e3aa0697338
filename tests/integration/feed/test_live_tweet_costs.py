"""What streams of one tweet cost: nothing to writers, and as little for many sockets as for a few."""

import asyncio
from collections.abc import Callable
from unittest.mock import patch

import pytest

from accounts.graph.exclusions import Exclusions
from fanout.live.channel import tweet_channel
from feed.live import listener as listener_module
from feed.live import sights
from feed.live.threads import housekeeping
from feed.live.watching import watched
from storage.redis.node import timeline_node
from tests.backends import counted_round_trips
from tests.integration.feed.tweet_streams import (
    close,
    counts_until,
    opened,
    run,
)
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.writing import liking

pytestmark = [pytest.mark.usefixtures("product", "quick_looks"), on_one_store]


class TestCosts:
    def test_writing_makes_no_round_trip_more_and_no_command(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)
        me = viewer(reader)
        acts: list[tuple[Callable[[], object], int, int]] = [
            (lambda: liking.like(viewer=me, tweet_id=tweet), 4, 7),
            (lambda: liking.unlike(viewer=me, tweet_id=tweet), 2, 3),
            (lambda: post(author), 1, 4),
            (lambda: post(author, reply_to=tweet), 3, 9),
        ]
        for act, _, _ in acts:
            act()
        for act, trips, commands in acts:
            with counted_round_trips() as made:
                act()
            assert [len(made), sum(map(len, made))] == [trips, commands], made
            assert not [command for trip in made for command in trip if command[0] == "PUBLISH"], "a script does it"

    def test_whether_viewers_may_still_see_is_one_round_trip_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 600.0)
        monkeypatch.setattr(sights, "REFRESHED", 1)
        author, readers = new_person(), [new_person() for _ in range(3)]
        tweets = [post(author), post(author)]

        async def scenario() -> None:
            sockets = [socket for tweet in tweets for socket in await opened(tweet, *readers)]
            with counted_round_trips() as made:
                await watched.look_at_viewers()
            asked = [trip for trip in made if any("exclusions" in str(command) for command in trip)]
            assert [len(trip) for trip in asked] == [3 + 2], "of each viewer, and whose accounts have changed"
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            with patch.object(sights, "refreshed", return_value=Exclusions()) as refreshed:
                await watched.look_at_viewers()
            assert refreshed.call_count == 1, "the others' turn comes"
            await close(*sockets)

        run(scenario)

    @pytest.mark.parametrize("count", [3, 30])
    def test_counts_are_told_to_thirty_sockets_in_as_many_round_trips_as_to_three(self, count: int) -> None:
        """Whether each may still see the tweet is asked of all of them together, when they are about to be told."""
        author, readers = new_person(), [new_person() for _ in range(count)]
        tweet = post(author)

        async def scenario() -> None:
            sockets = await opened(tweet, *readers)
            await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
            for socket in sockets:
                await counts_until(socket, likes=1)  # so that all caches are warm
            with counted_round_trips() as made:
                await housekeeping(liking.unlike, viewer=viewer(author), tweet_id=tweet)
                for socket in sockets:
                    await counts_until(socket)
            asked = [trip for trip in made if any("exclusions" in str(command) for command in trip)]
            assert 1 <= len(asked) <= 2, "one for who is told at once, and another for who was late"
            await close(*sockets)

        run(scenario)

    def test_a_tweet_is_heard_of_while_it_is_watched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.live.channels.KEPT_SECONDS", 0.0)
        monkeypatch.setattr(listener_module, "KEPT_SECONDS", 0.05)
        author = new_person()
        tweet = post(author)
        name = tweet_channel(tweet)

        def listeners() -> int:
            [[_, count]] = timeline_node().round_trip(("PUBSUB", "NUMSUB", name))
            return int(count)

        async def scenario() -> None:
            sockets = await opened(tweet, author, author)
            assert await housekeeping(listeners) == 1
            await sockets[0].close()
            await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
            await counts_until(sockets[1], likes=1)
            await sockets[1].close()
            while await housekeeping(listeners):
                await asyncio.sleep(0.05)
            assert tweet not in watched.ids

        run(scenario)
