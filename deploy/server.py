"""A server in a process of its own, on loopback: what a Valkey and a node in Java have in common."""

from types import TracebackType
from typing import Self

from deploy.supervisor.processes import NO_HOOKS, Child, Hooks, stop


class Server:
    """One server. `stop` or `kill`, then `start` again keeps its port and what it has in its directory.

    Those who make one say how it starts; from then on `_child` is its process.
    """

    def __init__(self, *, stop_seconds: float) -> None:
        self._stop_seconds = stop_seconds
        self._child: Child | None = None

    @property
    def name(self) -> str:
        """What it is called in what people are told."""
        raise NotImplementedError

    def start(self, hooks: Hooks = NO_HOOKS) -> Self:
        """Returns when it serves. Raises `CannotStart`."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ValueError(f"{self.name} is not running")
        return self._child.pid

    @property
    def child(self) -> Child | None:
        return self._child

    def stop(self) -> None:
        """Ends it in good order, killing it after some seconds; nothing to do when it is not running."""
        if self._child is not None:
            stop([self._child], grace_seconds=self._stop_seconds)
            self._child = None

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
