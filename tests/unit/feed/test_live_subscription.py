"""The subscription to a cluster's nodes: what ends it, and what does not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from deploy.supervisor.ports import LOOPBACK, free_port
from feed.live import listener, subscription
from feed.live.channels import channels
from feed.live.listener import Listener
from feed.live.subscription import Message, Subscription
from storage.errors import Unavailable

SECONDS = 20.0
NAME = "{t1/8}:live:tweet:5"


class Node:
    """A cluster of one, or none that answers; `moved` says that its channels are elsewhere."""

    is_cluster = True
    name = "timelines"

    def __init__(self, *urls: str) -> None:
        self.urls = urls
        self.moved = False
        self.looks = 0
        self.asked_by: list[int] = []

    def parts(self) -> list[SimpleNamespace]:
        self.asked_by.append(threading.get_ident())
        if not self.urls:
            raise Unavailable(self.name)
        return [SimpleNamespace(url=url) for url in self.urls]

    def address_of_slot(self, _slot: int) -> str:
        return self.urls[0]

    def address_of(self, _name: str) -> str:
        return "elsewhere" if self.moved else self.urls[0]

    def look_soon(self) -> None:
        self.looks += 1


class Connection:
    """What redis-py's is to a subscription; says what it is told to say, and answers PINGs."""

    def __init__(self) -> None:
        self.connection = SimpleNamespace(is_connected=True)
        self._words: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def say(self, word: str, name: str) -> None:
        self._words.put_nowait({"type": word, "channel": name.encode(), "data": b"0"})

    async def get_message(self, timeout: float) -> dict[str, Any]:
        return await self._words.get()

    async def execute_command(self, _ping: str, watermark: str) -> None:
        self._words.put_nowait({"type": "pong", "channel": None, "data": watermark.encode()})

    async def ssubscribe(self, *names: str) -> None:
        """The word for it is said by the test."""

    sunsubscribe = ssubscribe


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node("here")
    with patch.object(subscription, "timeline_node", lambda: made):
        yield made


def made_of(connection: Connection) -> Subscription:
    return Subscription({"here": cast(PubSub, connection)}, of_a_cluster=True)


def words_until(ends: Callable[[list[str]], bool], say: Callable[[Connection], None]) -> list[str]:
    """What a subscription takes that has heard NAME, dropped it, and wants it again; raises what breaks it."""
    taken: list[str] = []

    async def scenario() -> None:
        connection = Connection()
        subscribed = made_of(connection)
        await subscribed.subscribe(NAME)
        await subscribed.unsubscribe(NAME)
        await subscribed.subscribe(NAME)
        enough = asyncio.Event()

        async def take(message: Message) -> None:
            taken.append(message["type"])
            if ends(taken):
                enough.set()

        say(connection)
        async with asyncio.timeout(SECONDS):
            receiving = asyncio.create_task(subscribed.receive(take))
            waiting = asyncio.create_task(enough.wait())
            await asyncio.wait([receiving, waiting], return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                waiting.cancel()
                receiving.result()
            receiving.cancel()

    asyncio.run(scenario())
    return taken


@pytest.mark.usefixtures("node")
class TestWords:
    def test_the_word_that_ends_a_channel_is_no_loss_of_it_though_it_is_wanted_again(self) -> None:
        def say(connection: Connection) -> None:
            for word in ("ssubscribe", "sunsubscribe", "ssubscribe", "smessage"):
                connection.say(word, NAME)

        assert words_until(lambda taken: "message" in taken, say)[-1] == "message"

    def test_a_second_one_is(self) -> None:
        def say(connection: Connection) -> None:
            for word in ("sunsubscribe", "ssubscribe", "sunsubscribe"):
                connection.say(word, NAME)

        with pytest.raises(RedisError, match="has lost a channel"):
            words_until(lambda _: False, say)


def test_who_pings_and_finds_a_channel_elsewhere_ends_the_subscription(node: Node) -> None:
    """Whoever has the channel no more goes on answering, and says nothing of it."""

    async def scenario() -> None:
        connection = Connection()

        @asynccontextmanager
        async def opened() -> AsyncIterator[Subscription]:
            yield made_of(connection)

        async def talk() -> None:
            while True:
                connection.say("smessage", "{t1/8}:live:tweet:7")
                await asyncio.sleep(0.05)
                node.moved = True

        talking = asyncio.create_task(talk())
        with patch.object(listener, "opened", opened), patch.object(listener, "WATERMARK_SECONDS", 0.1):
            channels.start_anew()
            try:
                async with asyncio.timeout(SECONDS):
                    await Listener()._subscription()
            finally:
                talking.cancel()

    with pytest.raises(RedisError, match="has moved"):
        asyncio.run(scenario())


@pytest.mark.parametrize("urls", [(), (f"redis://{LOOPBACK}:{free_port()}",)], ids=["nobody says", "nobody is there"])
def test_it_is_looked_up_in_a_thread_where_to_connect_and_again_if_that_fails(urls: tuple[str, ...]) -> None:
    node = Node(*urls)

    async def scenario() -> None:
        async with subscription.opened():
            pass

    with patch.object(subscription, "timeline_node", lambda: node), pytest.raises((RedisError, OSError, Unavailable)):
        asyncio.run(scenario())
    assert node.asked_by
    assert node.asked_by[0] != threading.get_ident()
    assert node.looks == 1


def test_who_pings_ends_though_their_cancellation_was_taken_for_an_error() -> None:
    """redis-py does so at times, as it connects anew; whoever listens waits for the pinger as for the receivers."""

    class Swallowing:
        async def ping(self, _watermark: int) -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(SECONDS)

    async def scenario() -> bool:
        pinging = asyncio.create_task(Listener()._ping(cast(Subscription, Swallowing())))
        await asyncio.sleep(0)
        pinging.cancel()
        done, _ = await asyncio.wait([pinging], timeout=SECONDS / 2)
        pinging.cancel()
        return bool(done)

    assert asyncio.run(scenario())
