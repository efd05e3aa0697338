"""A TCP proxy in front of a real server, which a test can make hang or die."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from deploy.supervisor.ports import LOOPBACK

CHUNK = 65_536


class Proxy:
    """Passes bytes on between clients of `port` and the server behind it.

    Hung, it takes connections and passes nothing on, in either direction; what was sent meanwhile
    arrives afterwards, as with a stopped process. Dead, it cuts off every client and refuses. Connections that it has
    forsaken are half open: they stand, and nothing of them arrives any more.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._clients: set[socket.socket] = set()
        self._dismissed: set[socket.socket] = set()
        self._forsaken: list[threading.Event] = []
        self.joined = 0
        """How many connections there have been."""
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cut_off()
        for each in self._forsaken:
            each.set()

    @contextmanager
    def down(self, how: str) -> Iterator[None]:
        """`how` is "hung" or "dead"."""
        with self.hung() if how == "hung" else self.dead():
            yield

    @contextmanager
    def hung(self) -> Iterator[None]:
        flowing = self._flowing
        flowing.clear()
        try:
            yield
        finally:
            flowing.set()

    def forsake(self) -> None:
        """Passes on nothing more of the connections that there are; of new ones it does."""
        forsaken, self._flowing = self._flowing, threading.Event()
        self._flowing.set()
        forsaken.clear()
        self._forsaken.append(forsaken)

    def dismiss(self, last: bytes) -> None:
        """Tells every client its last as if the server had, and ends its connection at its answer."""
        with self._lock:
            clients = [*self._clients]
            self._dismissed.update(clients)
        for each in clients:
            with contextlib.suppress(OSError):
                each.sendall(last)

    @contextmanager
    def dead(self) -> Iterator[None]:
        self._cut_off()
        try:
            yield
        finally:
            self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server((LOOPBACK, port))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return listener

    def _cut_off(self) -> None:
        with self._lock:
            doomed = [self._listener, *self._open]
            self._open.clear()
            self._clients.clear()
        for each in doomed:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self, listener: socket.socket) -> None:
        """Ends when the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        with self._lock:
            self._open |= {client, server}
            self._clients.add(client)
            self.joined += 1
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        """Ends when either side is closed."""
        flowing = self._flowing
        with contextlib.suppress(OSError):
            while (data := source.recv(CHUNK)) and source not in self._dismissed:
                flowing.wait()
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            with self._lock:
                self._open.discard(each)
                self._clients.discard(each)
                self._dismissed.discard(each)
