"""The public stream: told once, what the public feed shows to each viewer, at a pace, and without a hole."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks, exclusions
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people import services
from deploy.valkey import Valkey
from fanout.delivery import pushing
from fanout.live.channel import PUBLIC_CHANNEL
from fanout.live.watermark import watermark
from feed.live import pacing, sharing
from feed.live.channels import channels
from feed.live.listener import listener
from feed.live.registry import registry
from feed.live.streams import missed as left_meanwhile
from feed.live.streams import replaying
from feed.live.streams.public import PublicStream
from feed.live.streams.stream import PUBLIC, Signal, SignalKind
from feed.live.threads import housekeeping
from feed.timelines.public import public_page
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import by_shard
from storage.stores import associations
from storage.web.paging import PageRequest, decode_cursor, encode_cursor
from tests.backends import connected_anew, counted_round_trips
from tests.cluster import on_one_server
from tests.integration.fanout.followers import followed_by_active
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.feed.test_live_replays import gaps_by_cause
from tests.integration.pulling import a_celebrity
from tests.integration.tweeting import post, viewer
from tests.outages import server_down
from tests.people import ApiClient, new_person
from tests.work import open_orders, work_off_everything
from tweets.reading import hydration
from tweets.writing import liking
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def act(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Acts as people do, and then as workers do, while sockets are open."""
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def opened(*readers: User, after: str | None = None) -> list[Socket]:
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open(stream="public", after=after)
    return sockets


def page_of(reader: User, query: str = "") -> list[dict[str, Any]]:
    """What GET /feed/public shows to them."""
    data: list[dict[str, Any]] = ApiClient(reader).get(f"/api/v1/feed/public?limit=100{query}").json()["data"]
    return data


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
        services.suspend(self.gone, by=operator())

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
        load = hydration.shared

        def counted(ids: tuple[int, ...]) -> hydration.Shared:
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


class Told:
    """A stream of somebody's, and the frames that its client was sent."""

    def __init__(self, person: User) -> None:
        self.person = person
        self.frames: list[Any] = []
        self.stream = PublicStream(viewer(person), self._send)

    async def _send(self, frame: Any) -> None:
        self.frames.append(frame)

    async def subscribe(self, *, after: int | None, watermark: int) -> None:
        registry.watermark = watermark
        with patch.object(channels, "hear"):
            await self.stream.open(after, watermark)
        await self.stream.begin()

    def ids(self) -> list[int]:
        return [int(frame.tweet.id) for frame in self.frames if hasattr(frame, "tweet")]


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


@pytest.fixture
def _forgotten_watermark() -> Iterator[None]:
    watermark.forget()
    yield
    registry.watermark = 0
    watermark.forget()


@on_one_store
@pytest.mark.usefixtures("_forgotten_watermark")
class TestResuming:
    def test_who_resumes_from_any_frame_or_page_has_everything(self) -> None:
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(reader)
            first = [await act(post, author) for _ in range(3)]
            cursors = [(await socket.frame())["cursor"] for _ in first]
            await socket.close()
            missed = [await act(post, author) for _ in range(3)]
            page = await housekeeping(public_page, viewer(reader), PageRequest(limit=1, before=missed[0]))
            for cursor in [*cursors, page.newer_cursor]:
                [again] = await opened(reader, after=cursor)
                found = await again.until(missed[-1])
                assert found[-3:] == missed, "oldest first"
                new = await act(post, author)
                assert set(await again.until(new)) <= {*found, new}, "and then live"
                missed = [*missed[1:], new]
                await again.close()

        run(scenario)

    def test_an_order_that_is_still_open_is_below_every_cursor(self) -> None:
        """Of two tweets the younger one is delivered first; whoever resumes from its frame gets the older one."""
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(reader)
            older = await housekeeping(post, author)
            [late] = await housekeeping(open_orders)
            with patch("tests.work.open_orders", lambda: [each for each in open_orders() if each != late]):
                younger = await act(post, author)
            frame = await socket.frame()
            assert frame["tweet"]["id"] == str(younger)
            assert decode_cursor(frame["cursor"]) < older
            await socket.close()
            [again] = await opened(reader, after=frame["cursor"])
            assert await again.until(younger) == [older, younger]
            await again.close()

        run(scenario)

    def test_more_than_a_replay_holds_is_a_gap(self) -> None:
        author, told = new_person(), Told(new_person())
        start = post(author)
        ids = [post(author) for _ in range(6)]

        async def scenario() -> None:
            with patch.object(replaying, "REPLAY_PAGE", 2), patch.object(replaying, "REPLAY_LIMIT", 4):
                await told.subscribe(after=start, watermark=ids[-1])
            assert told.ids() == ids[:4]
            assert decode_cursor(told.frames[-1].after) == ids[3]

        run(scenario)

    def test_what_was_deleted_or_suspended_meanwhile_is_told(self) -> None:
        author, bad, told = new_person(), new_person(), Told(new_person())
        start = post(author)
        deleted, answer, staying, last = post(author), post(bad, reply_to=start), post(bad), post(author)
        work_off_everything()
        delete_tweet(tweet_id=deleted, viewer=viewer(author))
        delete_tweet(tweet_id=answer, viewer=viewer(bad))
        services.suspend(bad, by=operator())
        work_off_everything()

        async def scenario() -> None:
            await told.subscribe(after=last, watermark=last)
            left = {frame.id for frame in told.frames[1:]}
            assert left == {str(deleted), str(staying)}, "a reply is in no public feed"
            again, once_more = Told(told.person), Told(told.person)
            with patch.object(left_meanwhile, "tweets_by_id", side_effect=AssertionError("known already")):
                await again.subscribe(after=last, watermark=last)
            assert {frame.id for frame in again.frames[1:]} == left
            with patch.object(left_meanwhile, "TOLD", 0):
                await once_more.subscribe(after=last, watermark=last)
            assert decode_cursor(once_more.frames[1].after) == last

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
        await act(services.suspend, bad, by=await housekeeping(operator))
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


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("how", ["dead", "flushed"])
def test_an_outage_or_a_flush_skips_nothing(timeline_redis: Valkey, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    author, reader = new_person(), new_person()

    async def scenario() -> None:
        [socket] = await opened(reader)
        before = await act(post, author)
        assert await socket.until(before) == [before]
        if how == "dead":
            with server_down(timeline_redis, "dead"):
                during = await housekeeping(post, author)
                await until(lambda: not listener._subscribed.is_set())
        else:
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            during = await housekeeping(post, author)
        await delivered()
        after = await act(post, author)
        assert [each for each in await socket.until(after) if each != before] == [during, after]
        await socket.close()

    with connected_anew(timeline_node(), timeout_seconds=1.0):
        run(scenario)


@on_one_store
def test_while_the_store_does_not_answer_tweets_wait_and_come_in_order() -> None:
    author, told = new_person(), Told(new_person())
    start, first, second = (post(author) for _ in range(3))

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=start)
        with patch.object(sharing, "shared", side_effect=Unavailable("store")), pytest.raises(Unavailable):
            await told.stream.handle(Signal(SignalKind.TWEETS, PUBLIC, start, entries=(first,)))
        await told.stream.handle(Signal(SignalKind.TWEETS, PUBLIC, start, entries=(second,)))
        assert told.ids() == []
        await told.stream.handle(Signal(SignalKind.RESYNC))
        assert told.ids() == [first, second]
        assert encode_cursor(start) in {frame.cursor for frame in told.frames[1:]}

    run(scenario)
    registry.watermark = 0
