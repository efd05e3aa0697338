"""A server written in Java, on loopback, without containers: what Cassandra's nodes and OpenSearch's have in common.

Any number of them may run side by side, each with its own directory and ports. Each ends with the process that started
it, and its directory is locked for as long as it lives.
"""

import os
from pathlib import Path
from typing import Self

from deploy.errors import CannotStart
from deploy.jars import Jars
from deploy.server import Server
from deploy.supervisor.locks import try_lock
from deploy.supervisor.ports import LOOPBACK, free_port, is_free
from deploy.supervisor.processes import NO_HOOKS, Child, Hooks, last_lines, start, wait_until

START_SECONDS = 120.0
"""About 10 s on a quiet laptop; what was written last is replayed first, and may be much."""
STOP_SECONDS = 6.0
"""Half of it to write what is in memory; a log makes a kill safe too."""


class JavaNode(Server):
    """One node. `stop` or `kill`, then `start` again keeps its port and its data. `port=0` finds a free one.

    Those who make one say how it is configured, called and seen to serve.
    """

    def __init__(
        self, jars: Jars, data_dir: Path, *, port: int = 0, host: str = LOOPBACK, cache: Path | None = None
    ) -> None:
        super().__init__(stop_seconds=STOP_SECONDS)
        self.host = host
        self.port = port
        self.data_dir = Path(data_dir).absolute()
        self._jars = jars
        self._cache = cache

    def write_configuration(self) -> None:
        """Writes what the node reads at its start into `data_dir`."""
        raise NotImplementedError

    def _argv(self, program: str, jars: Path) -> list[str]:
        """Returns the command, of that Java and the directory of the jars."""
        raise NotImplementedError

    def _ready(self) -> bool:
        """Returns whether it answers what it will be asked."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        return self._jars.server

    @property
    def log(self) -> Path:
        return self.data_dir / "node.log"

    def start(self, hooks: Hooks = NO_HOOKS) -> Self:
        """Returns when it serves. Raises `CannotStart`: no Java, no Maven for the first start, the port or the
        directory in use, or a node that gave up (with the end of its log)."""
        program, jars = self._jars.java(), self._jars.install(self._cache, hooks.while_waiting)
        self._choose_port()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._lock_directory()
        try:
            self.write_configuration()
            argv = self._argv(program, jars)
            child = start(self.name.lower(), argv, cwd=self.data_dir, log=self.log, keep_open=[lock])
        finally:
            # The node's own copy keeps the lock for as long as it lives, whatever becomes of us.
            os.close(lock)
        self._child = child
        (self.data_dir / "node.pid").write_text(f"{child.pid}\n")
        hooks.started(child)
        self._wait(child, hooks)
        return self

    def temporary_directory(self) -> Path:
        """Of its own: native libraries are unpacked there and left behind by a kill."""
        directory = self.data_dir / "tmp"
        directory.mkdir(exist_ok=True)
        return directory

    def _choose_port(self) -> None:
        if not self.port:
            self.port = free_port()
        elif not is_free(self.port, self.host):
            raise CannotStart(f"Port {self.port}, wanted for {self.name}, is taken by another process.")

    def _lock_directory(self) -> int:
        descriptor = os.open(self.data_dir / "node.lock", os.O_RDWR | os.O_CREAT, 0o644)
        if try_lock(descriptor):
            return descriptor
        os.close(descriptor)
        pid = last_lines(self.data_dir / "node.pid") or "unknown"
        raise CannotStart(f"{self.data_dir} belongs to a running {self.name} node (process {pid}).")

    def _wait(self, child: Child, hooks: Hooks) -> None:
        try:
            wait_until(lambda: child.ended() or self._ready(), seconds=START_SECONDS, while_waiting=hooks.while_waiting)
            if child.ended() or not self._ready():
                raise CannotStart(f"{self.name} did not start; {self.log} ends:\n{last_lines(self.log, 8)}")
        except BaseException:
            self.kill()
            raise


def options_in(path: Path) -> list[str]:
    """Returns a file's lines, each an argument, without its comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
