"""Stopping a call at its steps, in a thread of its own, while the test does something else."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self
from unittest.mock import patch

from django.db import connections

WAIT_SECONDS = 120
"""For a step: it means that the test hangs."""


class Stepped:
    """A call that has not begun yet, and goes on to its next stop with each `go_on`.

    `before` and `after` name functions, as (owner, name), before or after each call of which it
    stops; nobody else's calls do.
    """

    def __init__(
        self,
        call: Callable[[], object],
        *,
        before: Sequence[tuple[object, str]] = (),
        after: Sequence[tuple[object, str]] = (),
    ) -> None:
        self._call = call
        self._stops = [(*each, True) for each in before] + [(*each, False) for each in after]
        self._go: queue.Queue[BaseException | None] = queue.Queue()
        self._arrived: queue.Queue[BaseException | bool] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._patches = ExitStack()
        self._ended = False
        self._reached: set[str] = set()

    def __enter__(self) -> Self:
        for owner, name, is_before in self._stops:
            hooked = self._hooked(name, getattr(owner, name), is_before)
            self._patches.enter_context(patch.object(owner, name, hooked))
        self._thread.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: object) -> None:
        """Lets it run to its end, and raises what it raises unless the test has failed already."""
        try:
            self.finish()
        except BaseException:
            if error is None:
                raise
        finally:
            self._patches.close()

    def has_reached(self, name: str) -> bool:
        """Whether the call has come to the function of that name so far: a hook that nothing calls stops nothing."""
        return name in self._reached

    def go_on(self) -> bool:
        """To the next stop; False when it has ended."""
        if self._ended:
            return False
        self._go.put(None)
        arrived = self._arrived.get(timeout=WAIT_SECONDS)
        self._ended = arrived is not True
        if isinstance(arrived, BaseException):
            raise arrived
        return bool(arrived)

    def finish(self) -> None:
        while self.go_on():
            pass

    def kill(self) -> None:
        """Ends it where it stands, as a worker ends that is killed: nothing of what follows is done."""
        self._go.put(_Killed())
        arrived = self._arrived.get(timeout=WAIT_SECONDS)
        assert isinstance(arrived, _Killed)
        self._ended = True

    def _run(self) -> None:
        self._go.get(timeout=WAIT_SECONDS)
        try:
            self._call()
            self._arrived.put(False)
        except BaseException as error:
            self._arrived.put(error)
        finally:
            connections.close_all()

    def _hooked(self, name: str, original: Callable[..., Any], is_before: bool) -> Callable[..., Any]:
        def hooked(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not self._thread:
                return original(*args, **kwargs)
            self._reached.add(name)
            if is_before:
                self._stop()
            answer = original(*args, **kwargs)
            if not is_before:
                self._stop()
            return answer

        return hooked

    def _stop(self) -> None:
        self._arrived.put(True)
        death = self._go.get(timeout=WAIT_SECONDS)
        if death is not None:
            raise death


class _Killed(BaseException):
    """What no code of the product catches."""
