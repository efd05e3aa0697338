"""Servers that are down for a while."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Server(Protocol):
    """A Valkey, a Cassandra node."""

    @property
    def pid(self) -> int: ...
    def start(self) -> object: ...
    def kill(self) -> None: ...


@contextmanager
def server_down(server: Server, how: str) -> Iterator[None]:
    """Inside, the server is "dead" (killed, and started again) or "hung" (takes connections, never answers)."""
    if how == "hung":
        os.kill(server.pid, signal.SIGSTOP)
    else:
        server.kill()
    try:
        yield
    finally:
        if how == "hung":
            os.kill(server.pid, signal.SIGCONT)
        else:
            server.start()
