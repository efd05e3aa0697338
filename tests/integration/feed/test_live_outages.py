"""A socket lives through an outage of the timelines' Redis: it pauses, and then nothing was skipped."""

import asyncio
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from accounts.graph import follows
from accounts.models import User
from deploy.valkey import Valkey
from fanout.live.channel import PUBLIC_CHANNEL, tweet_channel
from fanout.live.presence import Appeared, current_epoch, present_key
from feed.live import appearing as appearing_module
from feed.live import listener as listener_module
from feed.live.appearing import appearing
from feed.live.channels import HEARD_SECONDS, channels
from feed.live.listener import START_SECONDS, listener
from feed.live.queues import LiveQueue
from feed.live.registry import registry
from feed.live.streams.stream import HOME, PUBLIC, READER, Signal, SignalKind, Topic
from feed.live.subscription import Subscription
from feed.live.threads import housekeeping
from storage.errors import Unavailable
from storage.redis.handshakes import greet_async
from storage.redis.node import timeline_node
from storage.redis.reads import Read
from storage.redis.shards import by_shard, timeline_shard
from tests.backends import connected_anew
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.outages import server_down
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Whoever asks a hung Redis waits for a second."""
    with connected_anew(timeline_node(), timeout_seconds=1.0):
        yield


@pytest.mark.parametrize("how", ["dead", "hung"])
def test_what_was_posted_while_redis_was_down_comes_when_it_is_back(
    timeline_redis: Valkey, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what workers have delivered before this process listens again."""
    monkeypatch.setattr(listener_module, "RECONNECT_SECONDS", 3.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    async def lives_through_it() -> None:
        await socket.open()
        before = await housekeeping(post, author)
        await delivered()
        assert await socket.until(before) == [before]
        with ExitStack() as down:
            down.enter_context(server_down(timeline_redis, how))
            during = await housekeeping(post, author)
            await until(lambda: not listener._subscribed.is_set())
        await delivered()
        after = await housekeeping(post, author)
        await delivered()
        assert [each for each in await socket.until(after) if each != before] == [during, after]
        await socket.close()

    asyncio.run(lives_through_it())


def neighbour_of(reader: User) -> User:
    """Somebody whose timeline is on the same shard."""
    return next(each for each in iter(new_person, None) if timeline_shard(each.id) == timeline_shard(reader.id))


def is_present(reader_id: int) -> bool:
    [answer] = timeline_node().round_trip(
        ("SISMEMBER", present_key(timeline_shard(reader_id), current_epoch()), reader_id)
    )
    return bool(answer)


def waiting(queue: LiveQueue) -> list[Signal]:
    """What is in the queue, and stays there."""
    return list(queue._signals)


@on_one_store
class TestAStreamThatAsksForItsChannel:
    def test_while_the_subscription_connects_hears_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        delays = iter([0.9, 0.3])

        async def slowly(connection: AbstractConnection) -> None:
            await asyncio.sleep(next(delays, 0.0))
            await greet_async(connection)

        monkeypatch.setattr("feed.live.subscription.greet_async", slowly)

        async def scenario() -> None:
            listener.start()
            await asyncio.sleep(0.1)
            await channels.hear(PUBLIC_CHANNEL)
            async with asyncio.timeout(5):
                await until(lambda: PUBLIC_CHANNEL in channels._standing)

        asyncio.run(scenario())

    def test_too_late_has_its_own_streams_resync_once_and_nobody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.live.channels.HEARD_SECONDS", 0.0)

        async def scenario() -> None:
            everybody, public = LiveQueue(), LiveQueue()
            registry.add(reader := Topic(READER, 1), everybody)
            registry.add(PUBLIC, public)
            listener.start()
            for name in map(tweet_channel, range(1, 51)):
                await channels.hear(name)
            await until(lambda: tweet_channel(50) in channels._standing)
            assert [(each.kind, each.topic) for each in waiting(everybody)] == [(SignalKind.RESYNC, None)]
            channels._late.add(PUBLIC_CHANNEL)
            await channels.hear(PUBLIC_CHANNEL)
            await until(lambda: PUBLIC_CHANNEL in channels._standing)
            assert [(each.kind, each.topic) for each in waiting(public)] == [(SignalKind.RESYNC, PUBLIC)]
            assert len(waiting(everybody)) == 1
            registry.remove(reader, everybody)
            registry.remove(PUBLIC, public)

        asyncio.run(scenario())

    def test_a_connection_that_was_lost_amid_a_message_is_not_made_anew_behind_the_back(self) -> None:
        """Nobody would make good what was published until it stood again."""
        socket = Socket(new_person())

        async def scenario() -> None:
            await socket.open()
            async with redis.asyncio.Redis.from_url(timeline_node().url) as client, client.pubsub() as subscription:
                await subscription.subscribe("any")
                assert subscription.connection is not None
                await subscription.connection.disconnect()
                with pytest.raises(RedisError, match="lost its connection"):
                    await Subscription({"here": subscription}, of_a_cluster=False).receive(listener._hear)
            await socket.close()

        asyncio.run(scenario())

    def test_while_redis_hangs_hears_it_behind_that(self, timeline_redis: Valkey) -> None:
        author, reader, other = new_person(), new_person(), new_person()
        first, socket = Socket(reader), Socket(other)

        async def scenario() -> None:
            await first.open()
            await socket.sign_in()
            with server_down(timeline_redis, "hung"):
                await until(lambda: not listener._subscribed.is_set())
                await socket.say(type="subscribe", stream="public")
                await asyncio.sleep(START_SECONDS + HEARD_SECONDS / 2)
            while (frame := await socket.frame())["type"] != "subscribed":
                assert frame["code"] == "unavailable"
            tweet = await housekeeping(post, author)
            await delivered()
            assert await socket.until(tweet) == [tweet]
            for each in (first, socket):
                await each.close()

        asyncio.run(scenario())


def test_what_was_pushed_while_an_emptied_redis_knew_of_nobody_comes_too(timeline_redis: Valkey) -> None:
    """Nobody is told of it at once: the reader's presence is made good some seconds later, and then replayed."""
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    async def lives_through_it() -> None:
        await socket.open()
        await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
        during = await housekeeping(post, author)
        await delivered()
        assert await socket.until(during) == [during]
        await socket.close()

    asyncio.run(lives_through_it())


def test_what_was_published_while_a_connection_was_broken_for_a_moment_comes_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Redis is there all the time, and knows who is present: nothing but the end of the connection tells of it."""
    monkeypatch.setattr("feed.live.subscription.SILENCE_SECONDS", 600.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    def breaks() -> int:
        timeline_node().round_trip(("CLIENT", "KILL", "TYPE", "pubsub"))
        during = post(author)
        work_off_everything()
        return during

    async def lives_through_it() -> None:
        await socket.open()
        before = await housekeeping(post, author)
        await delivered()
        assert await socket.until(before) == [before]
        with ThreadPoolExecutor(1) as thread:
            during = thread.submit(breaks).result()  # meanwhile this process stands still
        assert during in await socket.until(during)
        await socket.close()

    asyncio.run(lives_through_it())


def test_who_vanished_is_told_what_comes_behind_somebody_else_s_return(
    timeline_redis: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who returns first finds that their shard was emptied, for all who were there."""
    monkeypatch.setattr(appearing_module, "REFRESH_SECONDS", 600.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    neighbour = neighbour_of(reader)
    socket, other = Socket(reader), Socket(neighbour)

    async def scenario() -> None:
        await socket.open()
        await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
        await other.open()
        assert await socket.is_silent(0.3), "whatever was replayed at once is"
        tweet = await housekeeping(post, author)
        await delivered()
        assert await socket.until(tweet) == [tweet]
        assert not appearing._absent
        for each in (socket, other):
            await each.close()

    asyncio.run(scenario())


def test_who_was_made_present_by_somebody_else_is_replayed_from_before_the_emptying(
    timeline_redis: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another process does that has a socket of theirs: what comes then has a watermark above what was missed."""
    monkeypatch.setattr(appearing_module, "REFRESH_SECONDS", 600.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    def is_refreshed() -> bool:
        return appearing._published_up_to == registry.watermark

    async def scenario() -> None:
        await socket.open()
        registry.watermark = await housekeeping(post, author)
        await delivered()
        assert await socket.until(registry.watermark) == [registry.watermark]
        appearing._vanished.set()
        await until(is_refreshed)
        await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
        missed = await housekeeping(post, author)
        await delivered()
        epoch = current_epoch()
        shard = timeline_shard(reader.id)
        for near in (epoch, epoch + 1):
            await housekeeping(timeline_node().round_trip, ("SADD", present_key(shard, near), reader.id))
        registry.watermark = missed + 1
        told = await housekeeping(post, author)
        await delivered()
        assert await socket.until(told) == [told], "missed, and below the watermark that came with this one"
        appearing._vanished.set()
        assert missed in await socket.until(missed)
        await socket.close()

    asyncio.run(scenario())


def test_who_is_replayed_as_they_vanished_is_present_by_then(
    timeline_redis: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is pushed behind the replay is published."""
    reader = new_person()
    neighbour = neighbour_of(reader)
    monkeypatch.setattr(appearing_module, "REFRESH_SECONDS", 0.05)
    resynced: list[bool] = []

    class Replayed(LiveQueue):
        __slots__ = ()

        def put(self, signal: Signal) -> None:
            resynced.append(is_present(reader.id))

    async def scenario() -> None:
        appearing.start_anew()
        registry.add(Topic(READER, reader.id), queue := Replayed())
        registry.add(Topic(HOME, reader.id), queue)
        await appearing.come(reader.id)
        await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
        await appearing.come(neighbour.id)
        assert resynced == []
        await appearing.keep_present()
        assert resynced == [True]
        for subject in (READER, HOME):
            registry.remove(Topic(subject, reader.id), queue)

    asyncio.run(scenario())


def test_an_answer_that_was_lost_may_have_said_that_redis_was_emptied(
    timeline_redis: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All readers are made present by it, so that nobody would notice any more what was not published before. The next
    try does not wait for a refresh's pause."""
    monkeypatch.setattr(appearing_module, "REFRESH_SECONDS", 600.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket, ask_all, is_lost = Socket(reader), timeline_node().ask_all, threading.Event()

    def loses_one(reads: Sequence[Read[Any]]) -> list[Any]:
        answers = ask_all(reads)
        if is_lost.is_set() and "live-process" in str(reads[0].commands[0][1]):
            is_lost.clear()
            raise Unavailable("redis_timelines")
        return answers

    async def scenario() -> None:
        await socket.open()
        await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
        tweet = await housekeeping(post, author)
        await delivered()
        monkeypatch.setattr(timeline_node(), "ask_all", loses_one)
        is_lost.set()
        appearing._vanished.set()
        assert await socket.until(tweet) == [tweet]
        assert not is_lost.is_set()
        await socket.close()

    asyncio.run(scenario())


def test_who_could_not_be_made_present_is_told_what_was_not_published_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis was too slow once, as they came; the subscription stands, and nobody else notices anything."""
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket, appear, is_slow = Socket(reader), appearing._presence.appear, threading.Event()

    def slow_at_first(reader_ids: Iterable[int]) -> Appeared:
        if is_slow.is_set():
            return Appeared(set(), set(by_shard(reader_ids)))
        return appear(reader_ids)

    monkeypatch.setattr(appearing._presence, "appear", slow_at_first)
    monkeypatch.setattr(appearing_module, "REFRESH_SECONDS", 0.2)

    async def scenario() -> None:
        is_slow.set()
        await socket.open()
        tweet = await housekeeping(post, author)
        await delivered()
        assert await socket.is_silent(0.5), "it was published for nobody"
        is_slow.clear()
        assert await socket.until(tweet) == [tweet]
        assert not appearing._absent
        await socket.close()

    asyncio.run(scenario())
