"""The process's one subscription to fan-out's live channels, and its readers' presence.

Started by the first socket. A subscription that breaks is made again, and whatever was
published meanwhile is made good: every reader of the process is told to resync. The same
happens to readers whose presence had vanished from Redis (it was emptied), which is looked
at every REFRESH_SECONDS; so live delivery never stops silently.

**Watermark.** An order is marked done only after its message was published. So a watermark
read from the outbox counts once the subscription has answered a PING sent after that: its
answers come in order, and everything published before has then been put into the queues.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from redis.exceptions import RedisError

from accounts import changes
from fanout import live, presence
from feed.live.registry import SignalKind, registry
from storage.errors import Unavailable
from storage.redis import timeline_node

RECONNECT_SECONDS = 0.5
START_SECONDS = 2.0
"""How long a new socket waits for the first subscription; afterwards it resyncs when that stands."""
WATERMARK_SECONDS = 1.0
SILENCE_SECONDS = 3.0
"""A subscription that says nothing for so long, though it is pinged every second, is dead."""
WATCH_SECONDS = 0.5
"""How often accounts that have changed are looked up: a revoked token closes within a second."""

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs blocking code beside the event loop, database connections tidied up behind it."""
    return await database_sync_to_async(function, thread_sensitive=False)(*args, **kwargs)


class Listener:
    """Runs on one event loop; `start` is idempotent for it, and starts anew on another."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._subscribed = asyncio.Event()
        self._seen_changes: dict[int, float] = {}

    async def start(self) -> None:
        """Returns when the subscription stands, or when it has taken too long."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._subscribed = loop, asyncio.Event()
            loops = (self._listen, self._keep_present, self._watch_accounts)
            self._tasks = [loop.create_task(run()) for run in loops]
        try:
            await asyncio.wait_for(self._subscribed.wait(), START_SECONDS)
        except TimeoutError:
            log.warning("live_feed_waits_for_redis")

    async def appear(self, reader_id: int) -> None:
        """Has deliveries to the reader published from now on; failing that, the refresh does it and resyncs."""
        try:
            await in_thread(presence.appear, [reader_id])
        except Unavailable:
            log.warning("presence_waits_for_redis", reader=reader_id)

    async def _listen(self) -> None:
        interrupted = False
        while True:
            try:
                await self._subscription(resync=interrupted)
            except (RedisError, OSError) as error:
                log.warning("live_subscription_lost", error=type(error).__name__)
            self._subscribed.clear()
            interrupted = True
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _subscription(self, *, resync: bool) -> None:
        """One connection's life. Ends by raising what broke it."""
        client = redis.asyncio.Redis.from_url(
            settings.TIMELINE_REDIS_URL, socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS
        )
        async with client, client.pubsub() as subscription:
            await subscription.subscribe(*(live.channel(shard) for shard in range(settings.TIMELINE_SHARDS)))
            pinger = asyncio.create_task(self._ping(subscription))
            try:
                await self._receive(subscription, resync=resync)
            finally:
                pinger.cancel()

    async def _receive(self, subscription: Any, *, resync: bool) -> None:
        while True:
            message = await subscription.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                raise RedisError("the subscription is silent")
            if message["type"] == "message":
                arrived = live.decode(message["data"])
                registry.signal(arrived.readers, SignalKind(arrived.kind), arrived.entry_id)
            elif message["type"] == "pong" and message["data"]:
                registry.watermark = int(message["data"])
            elif not self._subscribed.is_set():
                self._subscribed.set()
                if resync:
                    registry.signal(registry.readers(), SignalKind.RESYNC)

    async def _ping(self, subscription: Any) -> None:
        """The watermark travels in the PING and comes back behind everything published before."""
        while True:
            watermark = await in_thread(live.watermark.read)
            await subscription.execute_command("PING", str(watermark))
            await asyncio.sleep(WATERMARK_SECONDS)

    async def _keep_present(self) -> None:
        """Refreshes the presence of every reader here; those whose presence had vanished resync."""
        while True:
            await asyncio.sleep(presence.REFRESH_SECONDS)
            try:
                vanished = await in_thread(presence.appear, registry.readers())
            except Unavailable:
                continue
            registry.signal(vanished, SignalKind.RESYNC)

    async def _watch_accounts(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                [answer] = await in_thread(timeline_node().round_trip, changes.changed_command())
            except Unavailable:
                continue
            noted = dict(changes.changes_of(answer))
            fresh = [user_id for user_id, note in noted.items() if self._seen_changes.get(user_id) != note]
            self._seen_changes = noted
            registry.signal(fresh, SignalKind.RECHECK)


listener = Listener()
