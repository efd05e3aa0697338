"""Channels that are heard while somebody wants them: asked for once, waited for, asked for again, and dropped."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from fanout.live.channel import PUBLIC_CHANNEL, hashtag_channel
from feed.live import channels as channels_module
from feed.live.channels import Channels
from feed.live.listener import Listener
from feed.live.queues import LiveQueue
from feed.live.registry import registry
from feed.live.streams.stream import HASHTAG, PUBLIC, SignalKind, Topic
from feed.live.subscription import Message


class Server:
    """What was said to it."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []

    async def say(self, command: str, names: Sequence[str]) -> None:
        self.said.append((command, *names))


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_whoever_asks_waits_until_the_server_has_said_that_it_is_heard() -> None:
    async def scenario() -> None:
        channels, server = Channels(), Server()
        await channels.begin(server.say, channels.wanted)
        asking = [asyncio.create_task(channels.hear("a")) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in asking)
        assert not channels.stands("a")
        await asyncio.gather(*asking)
        await channels.hear("a")
        assert set(server.said) == {("SUBSCRIBE", "a")}

    run(scenario)


def test_while_there_is_no_subscription_it_waits_for_one_and_says_when_that_came_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels_module, "HEARD_SECONDS", 0.01)

    async def scenario() -> None:
        channels, server = Channels(), Server()
        await channels.hear("a")
        assert channels.wanted == ["a"]
        began_with = channels.wanted
        await channels.hear("b")
        await channels.begin(server.say, began_with)
        assert not channels.stands("a"), "everybody resyncs with the subscription"
        assert channels.stands("b"), "who waited has given up, and has to resync"
        assert not channels.stands("b")
        channels.end()
        await channels.hear("a")
        assert channels.wanted == ["a", "b"]

    run(scenario)


def test_of_several_who_wait_those_behind_one_that_has_given_up_are_told_and_nothing_is_late_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels_module, "HEARD_SECONDS", 0.2)

    async def scenario() -> None:
        channels, server = Channels(), Server()
        await channels.begin(server.say, [])
        first = asyncio.create_task(channels.hear("a"))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(channels.hear("a"))
        await first
        assert channels.stands("a"), "the first has given up"
        began = asyncio.get_running_loop().time()
        await second
        assert asyncio.get_running_loop().time() - began < 0.05
        assert not channels.stands("a")

    run(scenario)


def test_what_is_asked_for_while_a_subscription_connects_is_said_when_it_has_begun() -> None:
    async def scenario() -> None:
        channels, server = Channels(), Server()
        asking = [asyncio.create_task(channels.hear("a"))]
        await asyncio.sleep(0)
        began_with = channels.wanted
        asking.append(asyncio.create_task(channels.hear("b")))
        await asyncio.sleep(0)
        assert server.said == []
        await channels.begin(server.say, began_with)
        assert server.said == [("SUBSCRIBE", "b")]
        for name in ("a", "b"):
            assert not channels.stands(name)
        await asyncio.gather(*asking)

    run(scenario)


def test_what_nobody_wants_is_dropped_but_not_what_was_asked_for_a_moment_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        channels, server = Channels(), Server()
        await channels.begin(server.say, [])
        for name in ("a", "a", "b"):
            asking = asyncio.create_task(channels.hear(name))
            await asyncio.sleep(0)
            channels.stands(name)
            await asking
        channels.leave("a")
        channels.leave("b")
        await channels.drop_unwanted()
        assert channels.wanted == ["a", "b"]
        monkeypatch.setattr(channels_module, "KEPT_SECONDS", 0.0)
        await channels.drop_unwanted()
        assert channels.wanted == ["a"], "one of two that asked wants it still"
        assert server.said[2:] == [("UNSUBSCRIBE", "b")]
        channels.leave("a")
        await channels.drop_unwanted()
        assert channels.wanted == []

    run(scenario)


def test_the_answer_to_what_was_dropped_meanwhile_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_module, "HEARD_SECONDS", 0.01)
    monkeypatch.setattr(channels_module, "KEPT_SECONDS", 0.0)

    async def scenario() -> None:
        channels, server = Channels(), Server()
        await channels.begin(server.say, [])
        await channels.hear("a")
        channels.leave("a")
        await channels.drop_unwanted()
        channels.stands("a")
        await channels.hear("a")
        assert server.said == [("SUBSCRIBE", "a"), ("UNSUBSCRIBE", "a"), ("SUBSCRIBE", "a")]

    run(scenario)


def test_a_channel_that_was_late_and_dropped_is_not_late_when_it_is_wanted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels_module, "HEARD_SECONDS", 0.01)
    monkeypatch.setattr(channels_module, "KEPT_SECONDS", 0.0)

    async def scenario() -> None:
        channels, server = Channels(), Server()
        await channels.begin(server.say, channels.wanted)
        await channels.hear("a")
        channels.leave("a")
        await channels.drop_unwanted()
        asking = asyncio.create_task(channels.hear("a"))
        await asyncio.sleep(0)
        assert not channels.stands("a"), "nobody has given it up"
        await asking

    run(scenario)


@pytest.mark.parametrize("order", ["heard first", "cancelled first"])
def test_who_is_cancelled_as_the_channel_is_heard_ends(order: str) -> None:
    """As when a process ends: a task that goes on would hold it up."""

    async def scenario() -> None:
        channels = Channels()
        asking = asyncio.create_task(channels.hear("a"))
        await asyncio.sleep(0)
        if order == "heard first":
            channels.stands("a")
            asking.cancel()
        else:
            asking.cancel()
            channels.stands("a")
        await asyncio.wait([asking])
        assert asking.cancelled()

    run(scenario)


@pytest.mark.parametrize(("name", "topic"), [(hashtag_channel(7), Topic(HASHTAG, 7)), (PUBLIC_CHANNEL, PUBLIC)])
def test_a_channel_that_is_heard_late_resyncs_whom_it_is_for_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, name: str, topic: Topic
) -> None:
    async def scenario() -> None:
        listener, queues = Listener(), {each: LiveQueue() for each in (Topic(HASHTAG, 7), Topic(HASHTAG, 8), PUBLIC)}
        listener._subscribed.set()
        monkeypatch.setattr("feed.live.listener.channels.stands", lambda _: True)
        for each, queue in queues.items():
            registry.add(each, queue)
        message: Message = {"type": "subscribe", "channel": name.encode()}
        await listener._hear(message)
        told = {each: [signal.kind for signal in queue._signals] for each, queue in queues.items()}
        assert told == {each: [SignalKind.RESYNC] if each == topic else [] for each in queues}
        for each, queue in queues.items():
            registry.remove(each, queue)

    run(scenario)
