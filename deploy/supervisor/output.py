"""What the processes of a run print, each line with its process's name before it.

Whoever reads our output may stop reading, or go away; that must not keep the runner from
noticing that it was asked to stop. So another thread writes, and lines that do not fit into its
queue are dropped.
"""

import os
import queue
import selectors
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from deploy.supervisor.processes import Child

QUEUED_PIECES = 20_000
READ_BYTES = 65_536
CLOSE_SECONDS = 1.0


class _Stream:
    """A file-like object around a descriptor whose `write` never waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pieces: queue.Queue[bytes | None] = queue.Queue(QUEUED_PIECES)
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        try:
            self._pieces.put_nowait(text.encode(errors="replace"))
        except queue.Full:
            return

    def flush(self) -> None:
        """Lines leave by themselves."""

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def close(self) -> None:
        try:
            self._pieces.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return
        self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            if not self._write_all(piece):
                return

    def _write_all(self, piece: bytes) -> bool:
        try:
            while piece:
                piece = piece[os.write(self._descriptor, piece) :]
        except OSError:
            # The reader has gone; there is nobody left to tell.
            return False
        return True


@dataclass(slots=True)
class _Source:
    name: str
    colour: str
    pipe: IO[bytes]
    unfinished: bytes = field(default=b"")


class Output:
    """Merges the output of children into one stream; `pump` has to be called again and again."""

    def __init__(self, descriptor: int = 1, *, width: int = 10) -> None:
        self._stream = _Stream(descriptor)
        self._printer = Printer(self._stream, width=width)
        self._colours: Iterator[str] = get_colours()
        self._selector = selectors.DefaultSelector()

    def say(self, text: str) -> None:
        """Writes a line of the runner's own."""
        self._stream.write(text + "\n")

    def follow(self, child: Child) -> None:
        os.set_blocking(child.output.fileno(), False)
        source = _Source(child.name, next(self._colours), child.output)
        self._selector.register(child.output, selectors.EVENT_READ, source)

    def pump(self, seconds: float = 0.0) -> None:
        """Passes on what there is, waiting at most so long for something."""
        for key, _ in self._selector.select(seconds):
            self._read(key.data)

    def close(self) -> None:
        self.pump()
        for key in list(self._selector.get_map().values()):
            self._drop(key.data)
        self._selector.close()
        self._stream.close()

    def _read(self, source: _Source) -> None:
        data = os.read(source.pipe.fileno(), READ_BYTES)
        *lines, source.unfinished = (source.unfinished + data).split(b"\n")
        for line in lines:
            self._print(source, line)
        if not data:
            self._drop(source)

    def _drop(self, source: _Source) -> None:
        if source.unfinished:
            self._print(source, source.unfinished)
        self._selector.unregister(source.pipe)
        source.pipe.close()

    def _print(self, source: _Source, line: bytes) -> None:
        now = datetime.now().astimezone()
        self._printer.write(Message(type="line", data=line, time=now, name=source.name, colour=source.colour))
