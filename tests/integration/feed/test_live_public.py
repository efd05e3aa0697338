"""The public stream: told once, what the public feed shows to each viewer, at a pace, and without a hole."""

import asyncio
from collections.abc import Sequence
from unittest.mock import patch

import pytest

from accounts.graph import blocks, exclusions
from accounts.graph.kinds import FOLLOW
from accounts.people import suspending
from fanout.delivery import pushing
from fanout.live.channel import PUBLIC_CHANNEL
from feed.live import pacing, sharing
from feed.live.threads import housekeeping
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import by_shard
from storage.stores import associations
from tests.backends import counted_round_trips
from tests.cluster import on_one_server
from tests.integration.fanout.followers import followed_by_active
from tests.integration.feed.public_stream import act, opened, page_of, run
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import delivered
from tests.integration.feed.test_live_replays import gaps_by_cause
from tests.integration.pulling import a_celebrity
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.reading import many_viewers
from tweets.writing import liking
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)


def published(*trips: Sequence[Command]) -> list[object]:
    """Which entries the commands of these round trips tell to everybody."""
    return [command[2] for trip in trips for command in trip if command[:2] == ("PUBLISH", PUBLIC_CHANNEL)]


class Crowd:
    """Two viewers who see everything, and some who do not; and what is written before them."""

    def __init__(self) -> None:
        self.ada, self.bob, self.gone = new_person(), new_person(), new_person()
        self.anybody, self.other, self.blocks, self.blocked, self.mutes = (new_person() for _ in range(5))
        self.viewers = [self.anybody, self.other, self.blocks, self.blocked, self.mutes, self.bob]
        blocks.block(self.blocks.id, self.ada.id)
        blocks.block(self.ada.id, self.blocked.id)
        blocks.mute(self.mutes.id, self.ada.id)
        suspending.suspend(self.gone, by=operator())

    def write(self) -> int:
        """Tweets of every sort; returns the last."""
        first = post(self.ada, "first")
        quoting = post(self.bob, "what she said", quote_of=first)
        post(self.ada, "in a thread", reply_to=first)
        post(self.bob, "a reply to somebody else", reply_to=first)
        retweet(viewer=viewer(self.bob), tweet_id=first)
        liking.like(viewer=viewer(self.anybody), tweet_id=quoting)
        liking.bookmark(viewer=viewer(self.other), tweet_id=first)
        create_tweet(author=viewer(self.gone), text="of somebody suspended")
        delete_tweet(tweet_id=post(self.bob, "gone at once"), viewer=viewer(self.bob))
        return post(self.bob, "last")


def test_each_viewer_is_told_what_the_public_feed_shows_to_them() -> None:
    crowd = Crowd()

    async def scenario() -> None:
        sockets = await opened(*crowd.viewers)
        last = await act(crowd.write)
        for reader, socket in zip(crowd.viewers, sockets, strict=True):
            told = [await socket.frame()]
            while told[-1]["tweet"]["id"] != str(last):
                told.append(await socket.frame())
            assert {(frame["type"], frame["stream"]) for frame in told} == {("tweet", "public")}
            shown = await housekeeping(page_of, reader)
            assert [frame["tweet"] for frame in told] == shown[::-1], reader.username
        assert len(await housekeeping(page_of, crowd.anybody)) == 4
        assert len(await housekeeping(page_of, crowd.blocks)) == len(await housekeeping(page_of, crowd.blocked)) == 2
        for socket in sockets:
            await socket.close()

    run(scenario)


@on_one_store
class TestCosts:
    def test_a_tweet_is_hydrated_once_for_all_sockets_and_what_is_a_viewer_s_own_is_read_together(self) -> None:
        author, readers = new_person(), [new_person() for _ in range(5)]
        loaded: list[tuple[int, ...]] = []
        load = many_viewers.shared

        def counted(ids: tuple[int, ...]) -> many_viewers.Shared:
            loaded.append(ids)
            return load(ids)

        async def scenario() -> None:
            sockets = await opened(*readers)
            warming = await act(post, author)
            for socket in sockets:
                await socket.until(warming)
            with patch.object(sharing, "shared", counted), counted_round_trips() as trips:
                tweet = await act(post, author)
                for socket in sockets:
                    assert await socket.until(tweet) == [tweet]
            assert loaded == [(tweet,)]
            viewers_own = [command for trip in trips for command in trip if "exclusions" in str(command)]
            assert len(viewers_own) == len(by_shard(reader.id for reader in readers))
            assert len([trip for trip in trips if set(viewers_own) & set(trip)]) == 1, "of all of them together"
            for socket in sockets:
                await socket.close()

        run(scenario)

    def test_it_is_published_once_with_the_author_s_copy_and_costs_no_round_trip(self) -> None:
        author = new_person()
        with counted_round_trips() as posting:
            tweet = post(author)
        assert len(posting) == 1
        with counted_round_trips() as trips:
            work_off_everything()
        assert len(trips) == 2, "the snapshot, and the push"
        assert published(*posting, *trips) == [tweet]

    def test_so_is_a_large_author_s_in_slices_in_parts_and_when_it_is_pulled(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("IN_ONE_TRIP", "PUSHED_AT_ONCE"):
            monkeypatch.setattr(pushing, name, 2)
        in_slices, in_parts = new_person(), new_person()
        followed_by_active(in_slices, 5)
        associations().grow(in_parts.id, FOLLOW, 2)
        for author in (in_slices, in_parts, a_celebrity(new_person())):
            tweet = post(author)
            with counted_round_trips() as trips:
                work_off_everything()
            assert published(*trips) == [tweet]

    @on_one_server
    def test_a_channel_is_heard_while_somebody_wants_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.live.channels.KEPT_SECONDS", 0.0)
        monkeypatch.setattr("feed.live.listener.KEPT_SECONDS", 0.05)
        reader, other = new_person(), new_person()

        def listeners() -> int:
            [[_, count]] = timeline_node().round_trip(("PUBSUB", "NUMSUB", "live:public"))
            return int(count)

        async def scenario() -> None:
            before = await housekeeping(listeners)
            sockets = await opened(reader, other)
            assert await housekeeping(listeners) == before + 1
            await sockets[0].close()
            tweet = await act(post, reader)
            assert await sockets[1].until(tweet) == [tweet]
            await sockets[1].close()
            while await housekeeping(listeners) != before:
                await asyncio.sleep(0.05)

        run(scenario)


@on_one_store
class TestPace:
    def test_of_a_flood_the_newest_are_told_behind_a_gap_that_misses_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pacing, "AT_A_TIME", 3)
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(reader)
            before = gaps_by_cause("public")
            ids = await housekeeping(lambda: [post(author) for _ in range(9)])
            await delivered()
            frames = [await socket.frame()]
            while frames[-1]["type"] == "gap" or frames[-1]["tweet"]["id"] != str(ids[-1]):
                frames.append(await socket.frame())
            gaps = [place for place, frame in enumerate(frames) if frame["type"] == "gap"]
            assert len(gaps) >= 1
            after_all = gaps_by_cause("public")
            assert after_all.pop("pace") >= before.pop("pace") + len(gaps)
            assert after_all == before, "of no other cause"
            told = [int(frame["tweet"]["id"]) for frame in frames if frame["type"] == "tweet"]
            assert told == sorted(told)
            assert set(ids[-3:]) <= set(told)
            assert len(told) < len(ids)
            after = frames[gaps[0]]["after"]
            missed = {int(tweet["id"]) for tweet in await housekeeping(page_of, reader, f"&since={after}")}
            assert set(ids) <= missed | set(told)
            await socket.close()

        run(scenario)


def test_deletions_and_suspensions_leave_screens_at_once() -> None:
    author, bad, reader = new_person(), new_person(), new_person()

    async def scenario() -> None:
        before = await act(post, author)
        [socket] = await opened(reader)
        tweet, other = await act(post, author), await act(post, bad)
        assert await socket.until(other) == [tweet, other]
        await act(delete_tweet, tweet_id=tweet, viewer=viewer(author))
        assert await socket.frame() == {"type": "delete", "stream": "public", "id": str(tweet)}
        await act(delete_tweet, tweet_id=before, viewer=viewer(author))
        assert await socket.frame() == {"type": "delete", "stream": "public", "id": str(before)}
        await act(suspending.suspend, bad, by=await housekeeping(operator))
        assert await socket.frame() == {"type": "delete", "stream": "public", "id": str(other)}
        await socket.close()

    run(scenario)


@on_one_store
def test_a_block_is_in_force_at_once() -> None:
    author, reader = new_person(), new_person()

    async def scenario() -> None:
        [socket] = await opened(reader)
        assert (await housekeeping(exclusions.exclusions_of, reader.id)).hidden == frozenset()
        await housekeeping(blocks.block, reader.id, author.id)
        await act(post, author)
        own = await act(post, reader)
        assert await socket.until(own) == [own]
        await socket.close()

    run(scenario)
