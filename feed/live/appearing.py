"""Keeps the readers of this process present (fanout/live/presence.py), so that their home timelines are published here.

A reader appears as their socket comes, and all of them again every REFRESH_SECONDS. **Who vanished**, as Redis was
emptied, is first made present again and only then has their homes replayed: what is pushed before is in what they read
then, and what is pushed behind it is published. It does not matter by whose appearing it was noticed: whoever finds the
process's sign gone has set it again, so all of the process who were there are named `_absent` at once, and nobody else
is asked whether they saw it.

For example, Ada and Bob are of one shard, and Redis is emptied. Bob's socket comes anew, and finds the sign gone. Ada's
replay would not find what is pushed a moment later, if she were told now: nothing is published for her until the
refresh. So she is told by the refresh, behind her own appearing.

**From where they are replayed.** Between the emptying and that replay a reader may be present again by another
process's doing, and be told of something new, whose watermark is above what was published for nobody before. So they
are replayed from the watermark of before the last refresh that found all as it was: everything below it had been
published to all of them by then.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import structlog

from fanout.live.presence import REFRESH_SECONDS, Presence
from feed.live.registry import registry
from feed.live.streams.stream import HOME, READER, SignalKind
from feed.live.threads import housekeeping
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard

log = structlog.get_logger(__name__)


class Appearing:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._presence = Presence()
        self._absent: set[int] = set()
        """Readers for whom something may not have been published since they came, or were refreshed."""
        self._vanished = asyncio.Event()
        """Somebody has, or was not reached, so that the refresh does not wait."""
        self._published_up_to = 0
        """A watermark below which all was published to all readers here; 0 as long as none is known."""

    def start_anew(self) -> None:
        """Begins on another event loop."""
        self._vanished = asyncio.Event()

    async def come(self, reader_id: int) -> None:
        """Makes a reader present, before anything is read for them. If that fails they are told by the refresh."""
        unanswered = await self._appear([reader_id])
        if unanswered:
            self._absent.add(reader_id)
            self._vanished.set()
            log.warning("presence_waits_for_redis", user_id=reader_id)

    async def keep_present(self) -> None:
        """Refreshes the presence of every reader here, after a pause or as somebody has vanished; has those replay who
        were absent. Who comes amid this reads their page behind it. Raises `Unavailable` if some were not reached."""
        await self._pause()
        watermark = registry.watermark
        unanswered = await self._appear(registry.ids(READER))
        absent, self._absent = self._absent, set()
        self._vanished.clear()
        if absent:
            unanswered |= await self._have_replayed(absent)
        elif not unanswered:
            self._published_up_to = watermark
        if unanswered:
            self._vanished.set()
            raise Unavailable(timeline_node().name)

    async def _have_replayed(self, absent: set[int]) -> set[int]:
        """Makes them present first; returns the shards that have not answered, whose readers stay absent."""
        try:
            unanswered = await self._appear(absent)
        except BaseException:
            self._absent |= absent
            raise
        back = [each for each in absent if timeline_shard(each) not in unanswered]
        self._absent |= absent.difference(back)
        registry.signal(HOME, back, SignalKind.RESYNC, published_up_to=self._published_up_to)
        return unanswered

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_SECONDS):
                await self._vanished.wait()

    async def _appear(self, reader_ids: Collection[int]) -> set[int]:
        """Makes readers present; returns the shards that have not answered. Whoever has vanished is absent now.

        But not those of `reader_ids` to whose homes nobody listens yet: they are present, and will be read behind this.
        """
        done = await housekeeping(self._presence.appear, list(reader_ids))
        if done.emptied:
            coming = set(reader_ids).difference(registry.ids(HOME))
            vanished = {each for each in registry.ids(READER) if timeline_shard(each) in done.emptied} - coming
            if vanished:
                self._absent |= vanished
                self._vanished.set()
                log.warning("presence_vanished", count=len(vanished))
        return done.unanswered


appearing = Appearing()
