"""Replays take turns: one step of a reader at a time, so many of all, and who asked first first."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from feed.live.turns import Turns

ANN, BEN, CLEO = 1, 2, 3


class Steps:
    """Steps that are being read until they are let go."""

    def __init__(self, at_a_time: int) -> None:
        self.turns = Turns(at_a_time)
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, reader_id: int, name: str) -> "asyncio.Task[str]":
        self._ends[name] = asyncio.Event()
        task = asyncio.create_task(self.turns.take(reader_id, lambda: self._step(name)))
        await settled()
        return task

    async def _step(self, name: str) -> str:
        self.begun.append(name)
        await self._ends[name].wait()
        return name

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_of_a_reader_one_step_at_a_time_is_read_and_others_do_not_wait_behind_it() -> None:
    async def scenario() -> None:
        steps = Steps(at_a_time=2)
        first, _second = await steps.ask(ANN, "first"), await steps.ask(ANN, "second")
        await steps.ask(BEN, "ben's")
        assert steps.begun == ["first", "ben's"]
        await steps.end("first")
        assert await first == "first"
        assert steps.begun == ["first", "ben's", "second"]

    run(scenario)


def test_of_all_readers_so_many_are_read_and_who_asked_first_is_first() -> None:
    async def scenario() -> None:
        steps = Steps(at_a_time=2)
        for reader_id, name in ((ANN, "1"), (BEN, "2"), (CLEO, "3"), (ANN, "4"), (4, "5")):
            await steps.ask(reader_id, name)
        assert steps.begun == ["1", "2"]
        await steps.end("2")
        assert steps.begun == ["1", "2", "3"]
        await steps.end("3")
        assert steps.begun == ["1", "2", "3", "5"], "Ann's own step is being read"
        await steps.end("1")
        assert steps.begun == ["1", "2", "3", "5", "4"]

    run(scenario)


def test_who_is_gone_leaves_the_queue() -> None:
    async def scenario() -> None:
        steps = Steps(at_a_time=1)
        await steps.ask(ANN, "first")
        gone = await steps.ask(BEN, "gone")
        await steps.ask(CLEO, "last")
        gone.cancel()
        await steps.end("first")
        assert steps.begun == ["first", "last"]

    run(scenario)


def test_what_has_begun_keeps_its_turn_though_nobody_waits_for_it() -> None:
    """Its thread goes on: whoever closes and connects again reads no more at a time for it."""

    async def scenario() -> None:
        steps = Steps(at_a_time=1)
        gone = await steps.ask(ANN, "gone")
        await steps.ask(BEN, "next")
        gone.cancel()
        await settled()
        assert gone.cancelled()
        assert steps.begun == ["gone"]
        await steps.end("gone")
        assert steps.begun == ["gone", "next"]

    run(scenario)


def test_who_is_gone_as_the_turn_comes_gives_it_on() -> None:
    async def scenario() -> None:
        steps = Steps(at_a_time=1)
        await steps.ask(ANN, "first")
        gone = await steps.ask(BEN, "gone")
        await steps.ask(CLEO, "last")
        _, turn = steps.turns._waiting[0]
        steps._ends["first"].set()
        while not turn.done():
            await asyncio.sleep(0)
        gone.cancel()
        await settled()
        assert steps.begun == ["first", "last"]

    run(scenario)


def test_who_leaves_the_queue_as_it_moves_up_is_only_cancelled() -> None:
    async def scenario() -> None:
        steps = Steps(at_a_time=1)
        await steps.ask(ANN, "first")
        gone = await steps.ask(BEN, "gone")
        await steps.ask(CLEO, "last")
        gone.cancel()
        steps.turns._end(ANN)  # the queue moves up before the one who is gone hears of it
        with pytest.raises(asyncio.CancelledError):
            await gone
        steps._ends["first"].set()
        await settled()
        assert steps.begun == ["first", "last"]

    run(scenario)


def test_a_step_that_fails_gives_its_turn_on() -> None:
    async def scenario() -> None:
        turns = Turns(1)

        async def fail() -> None:
            raise KeyError

        failed = await asyncio.gather(turns.take(ANN, fail), turns.take(BEN, fail), return_exceptions=True)
        assert [type(each) for each in failed] == [KeyError, KeyError]

    run(scenario)
