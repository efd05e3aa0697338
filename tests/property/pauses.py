"""Operations that stop in the middle, at a named place, and go on when they are told to.

A stopped operation waits in a thread of its own; nothing else of it runs meanwhile, so what
happens in between happens in one order, the same each time. Every wait is bounded.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from django.db import connections

PATIENCE_SECONDS = 60.0
"""For an operation to arrive somewhere; it means that the test hangs."""

_here = threading.local()


class Operation:
    """One call, that stops the first time it reaches `place`, if ever."""

    def __init__(self, name: str, call: Callable[[], object], *, place: str | None = None) -> None:
        self.name = name
        self.place = place
        self._call = call
        self._arrived, self._go_on = threading.Event(), threading.Event()
        self._future: Future[object] | None = None

    def run(self) -> object:
        """All of it, here and now."""
        _here.operation = self
        try:
            return self._call()
        finally:
            _here.operation = None

    def start(self, threads: ThreadPoolExecutor) -> bool:
        """Runs it up to its place; whether it stopped there. Otherwise it has ended."""
        self._future = threads.submit(self._in_thread)
        assert self._arrived.wait(PATIENCE_SECONDS), f"{self.name} hangs before {self.place}"
        return self.place is None

    def finish(self) -> object:
        """Lets it go on; its result. Raises what it raised."""
        self._go_on.set()
        assert self._future is not None
        return self._future.result(PATIENCE_SECONDS)

    def reach(self, place: str) -> None:
        if place == self.place:
            self.place = None
            self._arrived.set()
            assert self._go_on.wait(PATIENCE_SECONDS), f"nobody let {self.name} go on"

    def _in_thread(self) -> object:
        try:
            return self.run()
        finally:
            connections.close_all()
            self._arrived.set()


def current() -> Operation | None:
    """The operation that this thread is carrying out."""
    return getattr(_here, "operation", None)


def reach(place: str) -> None:
    """Stops the operation of this thread if it is to stop here."""
    operation = current()
    if operation is not None:
        operation.reach(place)


def stopping(hooks: ExitStack, owner: object, name: str, *, before: str = "", after: str = "") -> None:
    """Makes `owner.name` two places: `before` it is called and `after` it has returned."""
    original: Callable[..., Any] = getattr(owner, name)

    def stops(*args: Any, **kwargs: Any) -> Any:
        reach(before)
        result = original(*args, **kwargs)
        reach(after)
        return result

    hooks.enter_context(patch.object(owner, name, stops))
