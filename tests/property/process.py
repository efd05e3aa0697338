"""A live process for the worlds of interleavings: the real listener, registry and sockets, on a loop that is let run.

Between two steps it stands still, as a process does that has no processor; then it runs for as long as the step wants.
Another process begins as one does that has just started: nothing of what the one before has heard is known to it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from fanout.live import watermark as watermark_module
from fanout.live.watermark import watermark
from feed.live import appearing as appearing_module
from feed.live import heard as heard_module
from feed.live import listener as listener_module
from feed.live import queues
from feed.live.appearing import Appearing, appearing
from feed.live.heard import heard
from feed.live.listener import Listener, listener
from feed.live.places import places
from feed.live.registry import registry
from feed.live.shared_places import shared_places
from feed.live.sharing import sharing
from feed.live.streams import replaying
from feed.live.turns import AT_A_TIME, turns
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us

PAUSES = {"WATERMARK_SECONDS": 0.004, "WATCH_SECONDS": 0.01, "RECONNECT_SECONDS": 0.02}
"""Of the listener, whose order is that of the product's: a watermark is read more often than anything is looked at."""
REFRESH_SECONDS = 0.01
START_SECONDS = 0.2
ROUND_SECONDS = 0.15
"""For a round of looks that cannot end, while Redis is away."""
TOLD_SECONDS = 0.02
"""Of a watermark: some rounds of the process go by what was told, others read it themselves."""
LOOK_SECONDS = 0.002
CANCELLED_TIMES, CANCELLED_SECONDS = 3, 20.0
STILL_SECONDS = 0.006
"""For a watermark that was read after the looks to come back behind what was published."""

T = TypeVar("T")
Step = Callable[[Any], Awaitable[None]]
"""A method that looks at something now and then."""


class Process:
    """The one live process that there is at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        _forget_everything()
        self._looked = {"accounts": now_us(), "presence": now_us()}

    def held_us(self) -> int:
        """Before this the process has seen who was suspended, and made good who had vanished from an emptied Redis.

        In the product that takes 6 s at most, and ids settle after 21.
        """
        return min(self._looked.values())

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(step)

    def run_until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Runs until it holds, for so long at most; whether it does. It stands still while that is looked at."""
        ends = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > ends:
                return False
            self.run(asyncio.sleep(LOOK_SECONDS))
        return True

    def run_a_round(self, *, seconds: float = ROUND_SECONDS) -> None:
        """Runs until it has looked at everything that it looks at now and then, and knows a newer watermark."""
        begun = now_us()
        self.run_until(lambda: self.held_us() >= begun, seconds=seconds)
        self.run(asyncio.sleep(STILL_SECONDS))

    def die(self) -> None:
        """Ends at once, with all its sockets."""
        try:
            self.run(_cancel_all())
        finally:
            self._loop.close()

    def noting(self, what: str, step: Step) -> Step:
        async def noted(of: Any) -> None:
            begun = now_us()
            await step(of)
            self._looked[what] = begun

        return noted


@contextmanager
def live(process: Callable[[], Process], limits: dict[str, int]) -> Generator[None]:
    """Inside, listeners hurry and tell their process what they have looked at; `limits` are by name as in LIMITS."""
    steps = {"accounts": (Listener, "_watch_accounts"), "presence": (Appearing, "keep_present")}
    with ExitStack() as inside:
        for context in (*_hurrying(), *(patch.object(LIMITS[name], name, most) for name, most in limits.items())):
            inside.enter_context(context)
        for what, (of, step) in steps.items():
            inside.enter_context(patch.object(of, step, _noted(process, what, getattr(of, step))))
        yield


LIMITS: dict[str, object] = {
    "QUEUE_SIZE": queues,
    "REPLAY_PAGE": replaying,
    "REPLAY_LIMIT": replaying,
    "KEPT": heard_module,
    "LOG_PAGE": heard_module,
}


def _hurrying() -> list[AbstractContextManager[object]]:
    return [
        *(patch.object(listener_module, name, seconds) for name, seconds in PAUSES.items()),
        patch.object(listener_module, "START_SECONDS", START_SECONDS),
        patch.object(appearing_module, "REFRESH_SECONDS", REFRESH_SECONDS),
        patch.object(watermark_module, "WATERMARK_SECONDS", 0.0),
        patch.object(watermark_module, "TOLD_SECONDS", TOLD_SECONDS),
        patch.object(Unavailable, "retry_after_seconds", 0.01),
    ]


def _noted(process: Callable[[], Process], what: str, step: Step) -> Step:
    async def noted(of: Any) -> None:
        await process().noting(what, step)(of)

    return noted


def _forget_everything() -> None:
    for each in (listener, appearing, registry, heard, places, sharing):
        each.__init__()  # type: ignore[misc]
    turns.__init__(AT_A_TIME)  # type: ignore[misc]
    shared_places.__init__(places)  # type: ignore[misc]
    watermark.forget()


async def _cancel_all() -> None:
    """One that takes a cancellation for something else is cancelled again, and fails the run if it goes on."""
    for _ in range(CANCELLED_TIMES):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if not tasks or not (await asyncio.wait(tasks, timeout=CANCELLED_SECONDS))[1]:
            break
    else:
        raise AssertionError(f"cannot be cancelled: {asyncio.all_tasks()}")
    await asyncio.sleep(LOOK_SECONDS)  # connections close behind their tasks
