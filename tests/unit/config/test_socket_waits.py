"""What a connection waits with does what asyncio's own does, as far as a server asks for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from config.http.socket_waits import Gate, Inbox


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def soon() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_messages_are_taken_in_their_order_whether_or_not_somebody_waits() -> None:
    async def scenario() -> None:
        inbox = Inbox[int]()
        taker = asyncio.create_task(inbox.get())
        await soon()
        assert not taker.done()
        assert inbox.empty()
        for number in (1, 2, 3):
            inbox.put_nowait(number)
        assert [await taker, await inbox.get(), inbox.empty(), await inbox.get(), inbox.empty()] == [
            1,
            2,
            False,
            3,
            True,
        ]

    run(scenario)


def test_who_is_cancelled_takes_no_message_along() -> None:
    async def scenario() -> None:
        inbox = Inbox[int]()
        for comes_first in (False, True):
            taker = asyncio.create_task(inbox.get())
            await soon()
            if comes_first:
                inbox.put_nowait(1)
            taker.cancel()
            if not comes_first:
                inbox.put_nowait(1)
            with pytest.raises(asyncio.CancelledError):
                await taker
            assert await asyncio.wait_for(inbox.get(), 1) == 1

    run(scenario)


def test_a_gate_lets_in_all_who_wait_and_nobody_while_it_is_closed() -> None:
    async def scenario() -> None:
        gate = Gate()
        await gate.wait()
        gate.clear()
        waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
        await soon()
        waiting[0].cancel()
        gate.set()
        gate.clear()
        await soon()
        assert [each.done() for each in waiting] == [True, False, False], "it was closed before anybody came through"
        assert not gate.is_set()
        gate.set()
        await asyncio.wait_for(asyncio.gather(*waiting[1:]), 1)
        assert gate.is_set()

    run(scenario)


def test_a_gate_keeps_nobody_who_has_gone_away() -> None:
    async def scenario() -> None:
        gate = Gate()
        gate.clear()
        for _ in range(3):
            waiter = asyncio.create_task(gate.wait())
            await soon()
            waiter.cancel()
            await soon()
        assert gate._waiting == []

    run(scenario)
