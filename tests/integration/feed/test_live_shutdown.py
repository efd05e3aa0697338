"""The listener's tasks end when they are told to, at whatever moment: a process that ends waits for them."""

import asyncio

import pytest

from feed.live.listener import listener
from tests.integration.feed.sockets import SECONDS
from tests.integration.speaking import on_one_store

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

TURNS = 60
"""Of the event loop, within which the first subscription connects."""


def test_every_task_ends_at_whatever_turn_it_is_cancelled() -> None:
    """While it connects redis-py takes a cancellation for an error of its own, at one turn in eight."""

    async def scenario(turns: int) -> list[str]:
        listener.start()
        tasks = list(listener._tasks)
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=SECONDS)
        for task in left:
            task.cancel()
        return [str(task.get_coro()) for task in left]

    for turns in range(TURNS):
        assert asyncio.run(scenario(turns)) == [], f"after {turns} turns"
