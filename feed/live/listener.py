"""The process's one subscription to what is published for live processes.

Started by the first socket. A subscription that breaks is made again, and whatever was
published meanwhile is made good: every reader of the process is told to resync. The same
happens to readers whose presence had vanished from Redis (appearing.py); so live delivery never
stops silently.

**Watermark.** An order is marked done only after its message was published. So a watermark
read from the outbox counts once the subscription has answered a PING sent after that: its
answers come in order, and everything published before has then been put into the queues.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from accounts.account_cache.change_log import Changes, own_copy, recent_changes
from fanout.live import channel
from fanout.live.channel import PUBLIC_CHANNEL, LiveKind
from fanout.live.figures import live_figures
from fanout.live.watermark import WATERMARK_SECONDS, watermark
from feed.live.appearing import appearing
from feed.live.arrivals import arrivals
from feed.live.channels import HEARD_SECONDS, KEPT_SECONDS, channels
from feed.live.heard import heard
from feed.live.pacing import BEAT_SECONDS, Pacing
from feed.live.places import places
from feed.live.rechecking import rechecking
from feed.live.registry import registry
from feed.live.shared_places import shared_places
from feed.live.sharing import sharing
from feed.live.streams.missed import newly_protected, unseen_among
from feed.live.streams.stream import HASHTAG, HOME, NOTIFICATIONS, PUBLIC, READER, TWEET, Signal, SignalKind, Topic
from feed.live.subscription import Message, Subscription, end_if_cancelled, opened
from feed.live.threads import housekeeping
from feed.live.watching import LOOK_SECONDS, SIGHT_SECONDS, SWEEP_SECONDS, watched
from storage.errors import Unavailable
from storage.redis.node import timeline_node

RECONNECT_SECONDS = 0.5
START_SECONDS = 2.0
"""How long a new socket waits for the first subscription; afterwards it resyncs when that stands."""
WATCH_SECONDS = 0.5
"""How often accounts that have changed are looked up: a revoked token closes, and what a suspended or protected author
wrote leaves screens, within a second."""

RECENT = timedelta(minutes=10)
"""Who has become protected so long before the last look may not have been told of: clocks differ, and the log has a
change a while behind its moment. Of whoever is protected for longer nothing is told at changes of another kind."""

FIGURES_SECONDS = 1.0
"""How often it is told how many sockets there are, and what was sent: for those who look (fanout/live/figures.py)."""
BROKEN = (RedisError, OSError, AttributeError, Unavailable)
"""What is raised where a connection is broken: by redis-py also AttributeError, where that happens amid a write."""

log = structlog.get_logger(__name__)


class Listener:
    """Runs on one event loop; `start` is idempotent for it, and starts anew on another."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._subscribed = asyncio.Event()
        self._missing: set[str] = set()
        """Channels that every process hears, and that the subscription does not yet."""
        self._public = Pacing()
        self._news = Pacing()
        self._watermark = 0
        self._seen_changes: Changes = {}
        self._changed: set[int] = set()
        """Accounts that have changed and were not looked at yet."""
        self._looked = datetime.now(UTC)
        """When the last look began in which all were."""

    def start(self) -> None:
        """Starts listening; call it on the event loop for every socket, it does something for the first."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._subscribed, self._looked = loop, asyncio.Event(), datetime.now(UTC)
            for each in (channels, appearing, watched, self._public, self._news):
                each.start_anew()
            steps = (
                self._listen,
                appearing.keep_present,
                self._watch_accounts,
                self._read_watermark,
                self._tell_public,
                self._tell_news,
                self._tell_replies,
                self._look_at_counts,
                self._sweep_replies,
                self._look_at_viewers,
                self._drop_channels,
                shared_places.keep_telling,
                rechecking.keep_checking,
                _count_sockets,
            )
            self._tasks = [loop.create_task(_for_ever(step)) for step in steps]

    async def listen_to(self, topic: Topic) -> None:
        """Has what is published to the topic arrive here from now on, if it is within a moment; else a RESYNC follows.

        Home timelines are published to those who are present. Failing that, the refresh does it and resyncs. Other
        streams ask for their channels themselves (channels.py), once they know which these are.
        """
        await self._subscription_stands()
        if topic.subject == HOME:
            await appearing.come(topic.id)

    async def _subscription_stands(self) -> None:
        """Waits until it does, or until that has taken too long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._subscribed.wait()
        except TimeoutError:
            log.warning("live_feed_waits_for_redis")

    async def _listen(self) -> None:
        try:
            await self._subscription()
        except BROKEN as error:
            log.warning("live_subscription_lost", error=type(error).__name__)
        finally:
            self._subscribed.clear()
            heard.end()
        await asyncio.sleep(RECONNECT_SECONDS)

    async def _subscription(self) -> None:
        """One subscription's life. Ends by raising what broke it: the client would connect anew by itself, and nobody
        would make good what was published meanwhile."""
        async with opened() as subscription:
            told = [name(shard) for name in channel.OF_EACH_SHARD for shard in range(settings.TIMELINE_SHARDS)]
            wanted = channels.wanted
            self._missing = set(told)
            await subscription.subscribe(*told, *wanted)
            try:
                await channels.begin(partial(_say, subscription), wanted)
                await subscription.receive(self._hear, partial(self._ping, subscription))
            finally:
                channels.end()

    async def _hear(self, message: Message) -> None:
        if message["type"] == "message":
            await self._take(message["channel"].decode(), message["data"])
        elif message["type"] == "pong" and message["data"]:
            registry.watermark = max(registry.watermark, int(message["data"]))
        elif message["type"] == "subscribe":
            self._stands(message["channel"].decode())

    def _stands(self, name: str) -> None:
        """A channel is heard. The subscription stands with the last of those that every process hears."""
        was_late = channels.stands(name)
        self._missing.discard(name)
        if not self._subscribed.is_set():
            if self._missing:
                return
            self._subscribed.set()
            heard.begin()
            registry.resync_all()
        elif was_late:
            _resync(name)

    async def _take(self, name: str, payload: bytes) -> None:
        """Puts one message into the queues of those whom it concerns, or where it waits for its beat."""
        if channel.is_of_gone(name):
            gone = channel.decode_gone(payload)
            heard.add(gone.op, gone.tweet_id, gone.author_id)
            sharing.gone(gone.tweet_id)
            await registry.gone(gone.tweet_id)
        elif channel.is_of_back(name):
            back = channel.decode_back(payload)
            heard.back(back.op, back.tweet_id)
            sharing.forget()
            self._public.forget(back.tweet_id)
        elif name == PUBLIC_CHANNEL:
            self._public.add(PUBLIC, int(payload), registry.watermark)
        elif (number := channel.hashtag_of(name)) is not None:
            self._public.add(Topic(HASHTAG, number), int(payload), registry.watermark)
        elif (tweet_id := channel.tweet_of(name)) is not None:
            watched.changed(tweet_id, int(payload))
        elif (person_id := channel.news_of(name)) is not None:
            self._news.add(Topic(NOTIFICATIONS, person_id), int(payload), registry.watermark)
        else:
            arrived = channel.decode(payload)
            if arrived.kind is LiveKind.TWEET:
                arrivals.tell(arrived.readers, arrived.entry_id)
            else:
                registry.signal(HOME, arrived.readers, SignalKind.DELETE, arrived.entry_id)

    async def _ping(self, subscription: Subscription) -> None:
        """The watermark travels in the PING and comes back behind everything published before.

        Ends by raising what broke the subscription: without PINGs the watermark would stand.
        """
        while True:
            end_if_cancelled()
            await subscription.ping(self._watermark)
            await asyncio.sleep(WATERMARK_SECONDS)

    async def _read_watermark(self) -> None:
        """Reads the watermark, apart from the PING, which must go on while the store hangs."""
        self._watermark = await housekeeping(watermark.read)
        await asyncio.sleep(WATERMARK_SECONDS)

    async def _tell_public(self) -> None:
        for signal in await self._public.beat():
            registry.tell(signal)
        await asyncio.sleep(BEAT_SECONDS)

    async def _tell_news(self) -> None:
        for signal in await self._news.beat():
            registry.tell(signal)
        await asyncio.sleep(BEAT_SECONDS)

    async def _tell_replies(self) -> None:
        for signal in await watched.replies.beat():
            watched.tell(signal)
        await asyncio.sleep(BEAT_SECONDS)

    async def _look_at_counts(self) -> None:
        await watched.look()
        await asyncio.sleep(LOOK_SECONDS)

    async def _sweep_replies(self) -> None:
        await asyncio.sleep(SWEEP_SECONDS)
        await watched.sweep()

    async def _look_at_viewers(self) -> None:
        await asyncio.sleep(SIGHT_SECONDS)
        await watched.look_at_viewers()

    async def _drop_channels(self) -> None:
        await asyncio.sleep(KEPT_SECONDS)
        await channels.drop_unwanted()

    async def _watch_accounts(self) -> None:
        await asyncio.sleep(WATCH_SECONDS)
        changes = await housekeeping(_recent_changes)
        if changes is None:
            return
        fresh = [user_id for user_id, changed_at in changes.items() if self._seen_changes.get(user_id) != changed_at]
        self._seen_changes = changes
        registry.signal(READER, fresh, SignalKind.RECHECK)
        self._changed.update(fresh)
        await self._tell_unseen()

    async def _tell_unseen(self) -> None:
        """Tells who of the changed was suspended, or has become protected; those that cannot be known now, at the next
        look."""
        changed, began = frozenset(self._changed), datetime.now(UTC)
        if changed:
            suspended, protected = await housekeeping(unseen_among, changed)
            if suspended or protected:
                sharing.forget()
            if suspended:
                await registry.of_authors(SignalKind.SUSPENDED, suspended)
            # This asks SQL, which nobody who is suspended waits for.
            since = await housekeeping(newly_protected, protected, self._looked - RECENT) if protected else {}
            self._changed -= changed
            if since:
                await registry.of_authors(SignalKind.PROTECTED, frozenset(since), since=since)
        self._looked = began


def _resync(name: str) -> None:
    """Tells those whom the channel's messages are for that they may have missed some."""
    if (tweet_id := channel.tweet_of(name)) is not None:
        watched.tell(Signal(SignalKind.RESYNC, Topic(TWEET, tweet_id), registry.watermark))
    else:
        topic = PUBLIC
        if (number := channel.hashtag_of(name)) is not None:
            topic = Topic(HASHTAG, number)
        elif (person_id := channel.news_of(name)) is not None:
            topic = Topic(NOTIFICATIONS, person_id)
        registry.tell(Signal(SignalKind.RESYNC, topic, registry.watermark))


async def _say(subscription: Subscription, command: str, names: Sequence[str]) -> None:
    """Asks for channels, or ends them; who receives finds out by itself if the connection is broken.

    One that takes nothing for HEARD_SECONDS is broken then.
    """
    with suppress(*BROKEN):
        async with asyncio.timeout(HEARD_SECONDS):
            await (subscription.subscribe if command == "SUBSCRIBE" else subscription.unsubscribe)(*names)


async def _count_sockets() -> None:
    await asyncio.sleep(FIGURES_SECONDS)
    live_figures.tell(places.total)


def _recent_changes() -> Changes | None:
    shard = own_copy.shard
    [changes] = timeline_node().ask(recent_changes(shard))
    if changes is None:
        own_copy.leave(shard)
    return changes


async def _for_ever(step: Callable[[], Awaitable[None]]) -> None:
    """Takes the step again and again, whatever goes wrong in it: a loop that ended would never be missed."""
    while True:
        end_if_cancelled()
        try:
            await step()
        except Unavailable as error:
            log.warning("live_feed_waits", step=step.__name__, backend=error.backend)
            await asyncio.sleep(RECONNECT_SECONDS)
        except Exception:
            log.exception("live_feed_step_failed", step=step.__name__)
            await asyncio.sleep(RECONNECT_SECONDS)


listener = Listener()
