"""Replays take turns, so that they hold up nobody's live delivery, however many are asked for.

A replay is made of steps: a page is read, and then sent. A step's reading waits for its turn; sending does not, so
a client that reads slowly keeps nobody waiting. Of a reader one step is read at a time, whatever number of sockets they
have here, and of all readers AT_A_TIME. Whoever asked first has the turn first.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

AT_A_TIME = 2
"""A step keeps a thread busy with Python for most of its 20 ms, so more of them end no sooner."""

R = TypeVar("R")


class Turns:
    """Belongs to the event loop."""

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._reading: set[int] = set()
        """Whose steps are being read."""
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, reader_id: int, step: Callable[[], Awaitable[R]]) -> R:
        """Returns what the step does, when its turn has come.

        A caller that is cancelled leaves the queue; a step that has begun keeps its turn as long as its thread.
        """
        await self._come(reader_id)
        task = asyncio.ensure_future(step())
        task.add_done_callback(lambda done: self._go(reader_id, done))
        return await asyncio.shield(task)

    async def _come(self, reader_id: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((reader_id, turn))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # who has just been let in has passed it over already
                    self._waiting.remove((reader_id, turn))
            else:
                self._end(reader_id)
            raise

    def _go(self, reader_id: int, done: "asyncio.Future[R]") -> None:
        if not done.cancelled():
            done.exception()  # seen, though its caller may be gone
        self._end(reader_id)

    def _end(self, reader_id: int) -> None:
        self._reading.discard(reader_id)
        self._let_in()

    def _let_in(self) -> None:
        """Gives turns to the first who may have one; passes over whose own step is being read."""
        passed = []
        while self._waiting and len(self._reading) < self._at_a_time:
            reader_id, turn = self._waiting.popleft()
            if reader_id in self._reading:
                passed.append((reader_id, turn))
            elif not turn.done():
                self._reading.add(reader_id)
                turn.set_result(None)
        self._waiting.extendleft(reversed(passed))


turns = Turns(AT_A_TIME)
