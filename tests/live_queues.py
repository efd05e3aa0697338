"""Takes signals out of a socket's queue in its pump's place."""

import asyncio

from feed.live.queues import LiveQueue
from feed.live.streams.stream import Signal


async def next_in(queue: LiveQueue) -> Signal:
    """Returns the next signal, once there is one; raises `TimeoutError` after 20 s."""
    async with asyncio.timeout(20):
        while not queue._signals:
            await asyncio.sleep(0.001)
    return queue.take()
