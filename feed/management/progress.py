"""How far a long command is: one line that is written over on a terminal, else a line now and then."""

import time
from typing import TextIO

LINE_SECONDS = 0.2
"""Between two lines on a terminal."""


class Progress:
    """Anywhere but on a terminal, a line for each `every` things done."""

    def __init__(self, out: TextIO, *, every: int) -> None:
        self._out = out
        self._every = every
        self._terminal = out.isatty()
        self._next_time = 0.0
        self._next_done = every

    def show(self, done: int, line: str) -> None:
        """Writes the line if it is time for one."""
        if self._terminal and time.monotonic() >= self._next_time:
            self._out.write(f"\r{line}")
            self._out.flush()
            self._next_time = time.monotonic() + LINE_SECONDS
        elif not self._terminal and done >= self._next_done:
            self._out.write(f"{line}\n")
            self._out.flush()
            self._next_done = done + self._every

    def clear(self) -> None:
        """Clears the line; call it before anything else is written."""
        if self._terminal:
            self._out.write("\r\x1b[K")
