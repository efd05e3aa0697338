"""Deletions as a process remembers them: the log is read once for all, and nothing is missed where it ends."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from unittest.mock import patch

import pytest

from feed.live import heard as heard_module
from feed.live.heard import Heard, TooMany
from tweets.entities import Deletion, Tweet


class Log:
    """The store's: ten deletions by 10, 20, … 100; and how often it was read."""

    def __init__(self) -> None:
        self.ops = list(range(10, 101, 10))
        self.reads = 0
        self.while_reading: Callable[[], None] = lambda: None

    def deletions(self, *, after: int, before: int, limit: int) -> list[Deletion]:
        self.reads += 1
        found = [Deletion(op, op + 1, op + 2) for op in self.ops if after < op < before][-limit:]
        self.while_reading()
        return found

    def get_many(self, ids: Sequence[int]) -> dict[int, Tweet]:
        """Nothing that stands again."""
        return {}


async def without_threads(function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs it here: the pool's threads have connections to databases, left by whoever had them before."""
    return function(*arguments)


@pytest.fixture
def log() -> Any:
    log = Log()
    with patch.object(heard_module, "tweet_store", lambda: log), patch.object(heard_module, "reading", without_threads):
        yield log


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def ops(heard: Heard, after: int) -> list[int]:
    found = await heard.since(after)
    assert all((each.tweet_id, each.author_id) == (each.op + 1, each.op + 2) for each in found)
    return [each.op for each in found]


def hear(heard: Heard, *some: int) -> None:
    for op in some:
        heard.add(op, op + 1, op + 2)


def test_sockets_that_resume_read_the_log_once_among_them(log: Log) -> None:
    heard = Heard()

    async def scenario() -> None:
        heard.begin()
        found = await asyncio.gather(*(ops(heard, 40) for _ in range(50)))
        assert found == [[50, 60, 70, 80, 90, 100]] * 50
        assert log.reads == 1
        hear(heard, 120, 110, 120)
        assert await ops(heard, 75) == [80, 90, 100, 110, 120]
        assert await ops(heard, 40) == [50, 60, 70, 80, 90, 100, 110, 120]
        assert log.reads == 1, "from memory"
        assert await ops(heard, 15) == [20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]
        assert log.reads == 2, "what lies below"

    run(scenario)


def test_what_is_heard_within_the_reading_is_not_lost(log: Log) -> None:
    heard = Heard()
    log.while_reading = lambda: hear(heard, 95, 110)

    async def scenario() -> None:
        heard.begin()
        assert await ops(heard, 70) == [80, 90, 95, 100, 110]

    run(scenario)


def test_a_subscription_that_breaks_begins_anew(log: Log) -> None:
    heard = Heard()

    async def scenario() -> None:
        heard.begin()
        assert await ops(heard, 80) == [90, 100]
        heard.end()
        log.ops.append(110)
        assert await ops(heard, 80) == [90, 100, 110], "nobody listens"
        heard.begin()
        log.while_reading = heard.begin
        assert await ops(heard, 80) == [90, 100, 110]
        log.while_reading = lambda: None
        log.ops.append(120)
        assert await ops(heard, 80) == [90, 100, 110, 120], "what was read for the one before does not count"
        assert log.reads == 4

    run(scenario)


def test_no_more_is_remembered_than_there_is_room_for(log: Log) -> None:
    heard = Heard()

    async def scenario() -> None:
        heard.begin()
        with patch.object(heard_module, "KEPT", 4), patch.object(heard_module, "LOG_PAGE", 2):
            with pytest.raises(TooMany):
                await ops(heard, 20)
            assert log.reads == 2
            with pytest.raises(TooMany):
                await ops(heard, 20)
            assert await ops(heard, 69) == [70, 80, 90, 100]
            hear(heard, 110)
            assert await ops(heard, 70) == [80, 90, 100, 110]
            with pytest.raises(TooMany):
                await ops(heard, 69)
            assert log.reads == 2, "full, and not read in vain"
            heard.end()
            with pytest.raises(TooMany):
                await ops(heard, 20)

    run(scenario)
