"""Tweets that several sockets of the process are told of are read once for all of them.

What differs by viewer is read for each, at the moment when it is to be sent; of those who ask together, together.
Bounded in number and age. A deletion, a suspension, or protection, drops what it concerns: a socket that is a little
late then reads anew, and does not show what has left meanwhile.
"""

import asyncio
import time
from collections import OrderedDict
from typing import Any, NamedTuple

from accounts.entities import Viewer
from feed.live.threads import reading
from tweets.reading.hydration import TweetOut
from tweets.reading.many_viewers import Shared, seen_by, shared

KEPT = 128
"""What a beat tells of 50 topics (pacing.py), another one of 50 watched tweets, and what comes to homes: of 10 tweets
at most, about 3 KB each: 4 MB."""
KEPT_SECONDS = 1.0
"""Counts, names and what is quoted within are so old at most; sockets that are told together come together."""


TOGETHER = 50
"""Viewers for whom it is read at once: a thread for each socket, and a round trip, would cost several times as much;
and who is known to no cache holds up no more than these."""


class _Seeing(NamedTuple):
    """Viewers who ask for the same at the same moment."""

    viewers: dict[int, Viewer]
    task: "asyncio.Task[dict[int, list[TweetOut]]]"


class _Look(NamedTuple):
    """What is about to be read: which tweets, whether suspended people's are seen, and whether for the public feed."""

    found: int
    suspended: bool
    public: bool


class _Read(NamedTuple):
    task: "asyncio.Task[Shared]"
    at: float


class Sharing:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._reads: OrderedDict[tuple[int, ...], _Read] = OrderedDict()
        self._seeing: dict[_Look, _Seeing] = {}

    async def seen_by(
        self, viewer: Viewer, ids: tuple[int, ...], *, suspended: bool = False, public: bool = False
    ) -> list[TweetOut]:
        """Returns the tweets as the viewer sees them now, in the `public` feed or elsewhere.

        `many_viewers.seen_by` has the costs. Raises `Unavailable`.
        """
        found = await self.of(ids)
        key = _Look(id(found), suspended, public)
        seeing = self._seeing.get(key)
        if seeing is None:
            viewers: dict[int, Viewer] = {}
            task = asyncio.get_running_loop().create_task(self._see(key, found, viewers))
            task.add_done_callback(_look_at)
            seeing = self._seeing[key] = _Seeing(viewers, task)
        seeing.viewers[viewer.id] = viewer
        if len(seeing.viewers) == TOGETHER:
            del self._seeing[key]
        return (await asyncio.shield(seeing.task))[viewer.id]

    async def _see(self, key: _Look, found: Shared, viewers: dict[int, Viewer]) -> dict[int, list[TweetOut]]:
        """Runs once everybody who was told at the same time has asked."""
        seeing = self._seeing.get(key)
        if seeing is not None and seeing.viewers is viewers:
            del self._seeing[key]
        return await reading(seen_by, list(viewers.values()), found, suspended=key.suspended, public=key.public)

    async def of(self, ids: tuple[int, ...]) -> Shared:
        """Returns the tweets; `shared` says at what cost, which the first pays that asks. Raises `Unavailable`."""
        read = self._reads.get(ids)
        if read is None or time.monotonic() - read.at > KEPT_SECONDS or _has_failed(read.task):
            task = asyncio.get_running_loop().create_task(_read(ids))
            task.add_done_callback(_look_at)
            read = self._reads[ids] = _Read(task, time.monotonic())
            self._reads.move_to_end(ids)
            while len(self._reads) > KEPT:
                self._reads.popitem(last=False)
        return await asyncio.shield(read.task)

    def gone(self, tweet_id: int) -> None:
        """Forgets what shows a tweet that was deleted, and what is being read, which may."""
        for ids in [ids for ids, read in self._reads.items() if _may_show(read.task, tweet_id)]:
            del self._reads[ids]

    def forget(self) -> None:
        """Forgets everything: somebody was suspended, or is protected."""
        self._reads.clear()


async def _read(ids: tuple[int, ...]) -> Shared:
    return await reading(shared, ids)


def _may_show(task: "asyncio.Task[Shared]", tweet_id: int) -> bool:
    return not task.done() or _has_failed(task) or task.result().shows(tweet_id)


def _has_failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _look_at(task: "asyncio.Task[Any]") -> None:
    """An error is told to whoever waits, who may be gone."""
    if not task.cancelled():
        task.exception()


sharing = Sharing()
