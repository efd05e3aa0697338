"""Tweets that several sockets of the process are told of are read once for all of them.

What differs by viewer, each reads for itself (`seen_by`). Bounded in number and age. A deletion, or a suspension, drops
what it concerns: a socket that is a little late then reads anew, and does not show what has left meanwhile.
"""

import asyncio
import time
from collections import OrderedDict
from typing import NamedTuple

from feed.live.threads import reading
from tweets.reading.hydration import Shared, shared

KEPT = 64
"""Beats of all streams (pacing.py), of 10 tweets at most, about 3 KB each: 2 MB."""
KEPT_SECONDS = 1.0
"""Counts, names and what is quoted within are so old at most; sockets that are told together come together."""


class _Read(NamedTuple):
    task: "asyncio.Task[Shared]"
    at: float


class Sharing:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._reads: OrderedDict[tuple[int, ...], _Read] = OrderedDict()

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
        """Forgets what was read of a tweet that was deleted."""
        for ids in [each for each in self._reads if tweet_id in each]:
            del self._reads[ids]

    def forget(self) -> None:
        """Forgets everything: somebody was suspended."""
        self._reads.clear()


async def _read(ids: tuple[int, ...]) -> Shared:
    return await reading(shared, ids)


def _has_failed(task: "asyncio.Task[Shared]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _look_at(task: "asyncio.Task[Shared]") -> None:
    """An error is told to whoever waits, who may be gone."""
    if not task.cancelled():
        task.exception()


sharing = Sharing()
