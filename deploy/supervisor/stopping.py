"""Being asked to stop, by a signal or by the parent, noticed between two steps and never inside one.

A handler that raised could do so between the start of a process and the line that notes it.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

LOOK_SECONDS = 0.1
LOOKS_IN_A_ROW = 3
"""make blocks its signals for an instant whenever it starts a process; told to end, it keeps them blocked."""


class Stopping(BaseException):
    """Unwinds a start-up that was asked to stop. No error, so nothing may catch it by accident."""


class StopRequest:
    """The request to this process to stop: whether there is one, and by whom."""

    def __init__(self, parent: "Parent | None" = None) -> None:
        self.reason: str | None = None
        self._parent = parent

    def catch_signals(self, *numbers: signal.Signals) -> None:
        """Has these signals ask to stop from now on; a second one changes nothing."""
        for number in numbers:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or signal.Signals(number).name

    def asked(self) -> bool:
        if self.reason is None and self._parent is not None:
            self.reason = self._parent.wants_an_end()
        return self.reason is not None

    def raise_if_asked(self) -> None:
        if self.asked():
            raise Stopping


class Parent:
    """The `make` that started this process, watched because it does not pass everything on.

    GNU make hands SIGTERM to its children. On SIGINT it only waits for them, trusting that the
    terminal has told them too, which nobody did when make alone was signalled; and killed with
    -9 it says nothing. While it waits in its signal handler, Linux shows the signal as blocked.
    """

    def __init__(self) -> None:
        self.pid = os.getppid()
        self._blocked_looks = 0
        self._next_look = 0.0

    def wants_an_end(self) -> str | None:
        """Returns the reason to end, if there is one. Looks at most ten times a second."""
        if os.getppid() != self.pid:
            return "the end of make"
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._blocked_looks = self._blocked_looks + 1 if self._blocks_interrupt() else 0
        return "make's SIGINT" if self._blocked_looks >= LOOKS_IN_A_ROW else None

    def _blocks_interrupt(self) -> bool:
        if sys.platform != "linux":
            return False
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return False
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        mask = int(fields.get("SigBlk", "0"), 16)
        return any(mask >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT))
