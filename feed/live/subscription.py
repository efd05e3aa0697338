"""The process's subscription to what is published: one connection to the server, or one to each primary of a cluster.

In a cluster a message goes to those who listen at the node that has the channel's slot (sharded pub/sub), and so each
channel is asked for there. Nothing is ordered between nodes, nor has to be.

**Watermark.** It counts once every connection has answered a PING that was sent after it was read (listener.py): each
node's answers come in order. A slot that moves takes its channels along, and the node that loses it says so, a moment
after the other one may have taken messages: meanwhile its PONGs vouch for what it has not seen. So in a cluster a
watermark waits HOLD_SECONDS more, in which all channels must go on being where they are asked for. If they do not, the
subscription is broken, and everybody resyncs from a watermark of before.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

import redis.asyncio
from django.conf import settings
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from storage.errors import Unavailable
from storage.redis.handshakes import greet_async, greet_slots_async
from storage.redis.node import RedisNode, timeline_node
from storage.redis.shards import shard_slot
from storage.redis.slots import slot_of

SILENCE_SECONDS = 3.0
"""A subscription that says nothing for so long, though it is pinged every second, is dead."""
HOLD_SECONDS = 3.0
"""Longer than a cluster's nodes take to tell each other that a slot is another's: they do so at once, and each second
to those who have not heard. It is looked up as often here."""

WORDS = {"smessage": "message", "ssubscribe": "subscribe", "sunsubscribe": "unsubscribe"}
"""What is said of a sharded channel, as it is said of any other."""

R = TypeVar("R")
Message = dict[str, Any]


class _NoRetry(Retry):
    """Raises what broke a connection, and connects nothing anew: who receives and who pings would both do so."""

    async def call_with_retry(self, do: Callable[[], Awaitable[R]], *_: Any, **__: Any) -> R:
        return await do()


class Subscription:
    """One life of it. It belongs to the event loop."""

    def __init__(self, connections: dict[str, PubSub], *, of_a_cluster: bool) -> None:
        self._connections = connections
        self._of_a_cluster = of_a_cluster
        self._places: dict[str, str] = {}
        """Where each channel is asked for."""
        self._ending: Counter[tuple[str, str]] = Counter()
        """By place and channel: what was ended there, whose word is on its way. One more is a loss."""
        self._passed = dict.fromkeys(connections, 0)
        self._held: deque[tuple[float, int]] = deque()
        self._counts = 0

    async def subscribe(self, *names: str) -> None:
        """Asks for channels. Raises what broke a connection, and `Unavailable` if nobody says where a channel is."""
        places = {name: self._place_of(name) for name in names}
        self._places.update(places)
        await self._say("ssubscribe" if self._of_a_cluster else "subscribe", places)

    def _place_of(self, name: str) -> str:
        return timeline_node().address_of(name) if self._of_a_cluster else next(iter(self._connections))

    async def unsubscribe(self, *names: str) -> None:
        """Ends them."""
        places = {name: place for name in names if (place := self._places.pop(name, None)) is not None}
        self._ending.update((place, name) for name, place in places.items())
        await self._say("sunsubscribe" if self._of_a_cluster else "unsubscribe", places)

    async def _say(self, word: str, places: dict[str, str]) -> None:
        """One command for each connection; of a cluster for each slot, as it takes no other."""
        groups: dict[tuple[str, int], list[str]] = {}
        for name, place in places.items():
            groups.setdefault((place, slot_of(name) if self._of_a_cluster else 0), []).append(name)
        for (place, _), names in groups.items():
            if place not in self._connections:
                raise RedisError("a channel is at a node that nobody listens to yet")
            await getattr(self._connections[place], word)(*names)

    async def ping(self, watermark: int) -> None:
        """Sends a PING with it to each node. Raises `RedisError` when a channel is elsewhere by now."""
        if self._of_a_cluster:
            timeline_node().look_soon()
            if any(self._place_of(name) != place for name, place in self._places.items()):
                raise RedisError("a channel has moved to another node")
        for connection in self._connections.values():
            await connection.execute_command("PING", str(watermark))

    async def receive(
        self, take: Callable[[Message], Awaitable[None]], *beside: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Gives each message to `take`, with PONGs that carry the watermark that counts by now; ends by raising.

        Runs what is to go on `beside` for as long, and ends with what that raises: a pinger that has found out that a
        channel is elsewhere, where nobody would say so here.
        """
        end_if_cancelled()  # the tasks begun here would know nothing of it
        tasks = [asyncio.create_task(each()) for each in beside]
        tasks += [
            asyncio.create_task(self._receive_from(place, connection, take))
            for place, connection in self._connections.items()
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for each in tasks:
                each.cancel()

    async def _receive_from(self, place: str, connection: PubSub, take: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            end_if_cancelled()
            wire = cast(AbstractConnection | None, connection.connection)
            if wire is None or not wire.is_connected:
                raise RedisError("the subscription has lost its connection")  # get_message would connect anew
            message = await connection.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                raise RedisError("the subscription is silent")
            if message["type"] == "pong" and message["data"]:
                message["data"] = self._counting(place, int(message["data"]))
            elif message["type"] == "sunsubscribe" and self._is_lost(place, message["channel"].decode()):
                raise RedisError("a node has lost a channel")
            await take(message | {"type": WORDS.get(message["type"], message["type"])})

    def _is_lost(self, place: str, name: str) -> bool:
        """Whether a word that a channel has ended was not asked for. One may be wanted again before that word comes."""
        if self._ending[place, name]:
            self._ending[place, name] -= 1
            if not self._ending[place, name]:
                del self._ending[place, name]
            return False
        return self._places.get(name) == place

    def _counting(self, place: str, watermark: int) -> int:
        """The watermark that counts, now that one more connection has answered; 0 for none."""
        self._passed[place] = watermark
        lowest = min(self._passed.values())
        if not self._of_a_cluster:
            return lowest
        now = asyncio.get_running_loop().time()
        self._held.append((now + HOLD_SECONDS, lowest))
        while self._held and self._held[0][0] <= now:
            self._counts = max(self._counts, self._held.popleft()[1])
        return self._counts


def end_if_cancelled() -> None:
    """Raises `CancelledError` if somebody took it for an error of their own: redis-py does at times, as it connects."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def opened() -> AsyncGenerator[Subscription]:
    """Opens the connections; they end with the block. Raises what redis-py does, and `Unavailable`.

    Where they go is looked up in a thread, since that may have to ask servers that hang; and again soon, if they do not
    open.
    """
    node = timeline_node()
    async with AsyncExitStack() as stack:
        if not node.is_cluster:
            yield Subscription({node.url: await _connected(stack, node.url, greet_async)}, of_a_cluster=False)
            return
        try:
            slots = await asyncio.to_thread(_slots_by_place, node)
            connections = {
                place: await _connected(stack, place, partial(greet_slots_async, of_node))
                for place, of_node in slots.items()
            }
            for each in connections.values():  # connects; without a channel nothing else would
                await each.execute_command("PING", "0")
        except (RedisError, OSError, Unavailable):
            node.look_soon()
            raise
        yield Subscription(connections, of_a_cluster=True)


def _slots_by_place(node: RedisNode) -> dict[str, set[int]]:
    """The cluster's nodes, and which of the shards' slots each has. Raises `Unavailable`."""
    slots: dict[str, set[int]] = {part.url: set() for part in node.parts()}
    for shard in range(settings.TIMELINE_SHARDS):
        slots.setdefault(node.address_of_slot(shard_slot(shard)), set()).add(shard_slot(shard))
    return slots


async def _connected(stack: AsyncExitStack, url: str, greet: Callable[[Any], Awaitable[None]]) -> PubSub:
    client = redis.asyncio.Redis.from_url(
        url,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        redis_connect_func=greet,
        retry=_NoRetry(NoBackoff(), 0),
    )
    await stack.enter_async_context(client)
    return await stack.enter_async_context(client.pubsub())
