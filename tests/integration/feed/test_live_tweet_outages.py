"""Streams of one tweet behind an outage, and while others are read: nothing is missing, and counts are right."""

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from deploy.valkey import Valkey
from fanout.live.channel import tweet_channel
from feed.live import listener as listener_module
from feed.live.channels import channels
from feed.live.listener import listener
from feed.live.streams import tweet as tweet_stream
from feed.live.streams.stream import Signal, SignalKind
from feed.live.streams.tweet import TweetStream
from feed.live.threads import housekeeping
from feed.live.told import Gap, TweetCame
from feed.live.turns import AT_A_TIME, turns
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.web.paging import decode_cursor
from tests.backends import connected_anew
from tests.integration.feed.sockets import Socket, until
from tests.integration.feed.tweet_streams import (
    NOTHING,
    close,
    counts_until,
    opened,
    reply_of,
    run,
)
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.outages import server_down
from tests.people import new_person
from tweets.writing import liking

pytestmark = [pytest.mark.usefixtures("product", "quick_looks"), on_one_store]


def test_a_stream_that_waits_for_its_turn_to_be_read_keeps_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.live.channels.KEPT_SECONDS", 0.0)
    monkeypatch.setattr(listener_module, "KEPT_SECONDS", 0.05)
    author = new_person()
    tweet = post(author)

    async def scenario() -> None:
        socket, others_are_read = await housekeeping(Socket, author), asyncio.Event()
        replays = [asyncio.create_task(turns.take(-number, others_are_read.wait)) for number in range(AT_A_TIME)]
        await socket.sign_in()
        await socket.say(type="subscribe", stream=f"tweet:{tweet}")
        await until(lambda: tweet_channel(tweet) in channels.wanted)
        assert await socket.is_silent(0.5)
        others_are_read.set()
        await asyncio.gather(*replays)
        assert (await socket.frame())["type"] == "subscribed"
        await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
        async with asyncio.timeout(10):
            await counts_until(socket, likes=1)
        await close(socket)

    run(scenario)


@pytest.mark.parametrize("kind", [SignalKind.RESYNC, SignalKind.OVERFLOW])
def test_what_was_dropped_before_an_outage_is_below_every_cursor_behind_it(kind: SignalKind) -> None:
    author, reader = new_person(), new_person()
    tweet = post(author)
    told: list[Any] = []

    async def send(frame: Any) -> None:
        told.append(frame)

    async def scenario() -> None:
        listener.start()
        stream = TweetStream(await housekeeping(viewer, reader), send, tweet)
        await stream.open(None, 0)
        await stream.begin()
        dropped, later = [await housekeeping(post, author, "an answer", reply_to=tweet) for _ in range(2)]
        with patch.object(tweet_stream, "tweet_out", side_effect=Unavailable("store")), pytest.raises(Unavailable):
            await stream.handle(Signal(kind))
        await stream.handle(Signal(SignalKind.TWEETS, stream.topic, later, entries=(later,)))
        await stream.handle(Signal(SignalKind.RESYNC))
        found = [int(frame.tweet.id) for frame in told if isinstance(frame, TweetCame)]
        if kind is SignalKind.RESYNC:
            assert found == [dropped, later]
        else:
            [gap] = [frame for frame in told if isinstance(frame, Gap)]
            assert decode_cursor(gap.after) < dropped
        stream.close()

    run(scenario)


@pytest.fixture
def _impatient() -> Iterator[None]:
    with connected_anew(timeline_node(), timeout_seconds=1.0):
        yield


@pytest.mark.usefixtures("_impatient", "deferred_writes_run")
@pytest.mark.parametrize("how", ["dead", "flushed"])
def test_behind_an_outage_or_a_flush_counts_are_right_and_no_reply_is_missing(timeline_redis: Valkey, how: str) -> None:
    author, reader = new_person(), new_person()
    tweet = post(author)

    async def scenario() -> None:
        [socket] = await opened(tweet, reader)
        before = await housekeeping(post, author, "before", reply_to=tweet)
        assert (await reply_of(socket))["tweet"]["id"] == str(before)
        await counts_until(socket, replies=1)
        if how == "dead":
            with server_down(timeline_redis, "dead"):
                during = await housekeeping(post, author, "during", reply_to=tweet)
                await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
                await until(lambda: not listener._subscribed.is_set())
        else:
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            during = await housekeeping(post, author, "during", reply_to=tweet)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
        told, found = dict[str, int](), set[str]()
        while str(during) not in found or told != NOTHING | {"replies": 2, "likes": 1}:
            frame = await socket.frame()
            if frame["type"] == "counts":
                told = frame["counts"]
            elif frame["type"] == "tweet":
                found.add(frame["tweet"]["id"])
        await housekeeping(liking.unlike, viewer=viewer(reader), tweet_id=tweet)
        await counts_until(socket, replies=2)
        await close(socket)

    run(scenario)
