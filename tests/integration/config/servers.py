"""The product's servers as it starts them, and clients that speak to them byte by byte."""

import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import finalize

import yaml

from deploy.plan import ROOT, Options, product
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, start, stop, wait_until

HOST = b"Host: 127.0.0.1\r\n"
START_SECONDS = 90.0
PATIENCE = 30.0
"""Seconds after which a client gives up; far more than any of the servers' own times."""
NAMES = ("one port", "web", "live")


def command(name: str, port: int, directory: Path) -> Sequence[str]:
    """How `make run` and docker-compose.yml start it, but for host and port."""
    if name == "one port":
        return product(Options(LOOPBACK, port, directory, "embedded"), {}).processes[0].argv
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    argv = [str(word) for word in services[name]["command"]]
    argv[argv.index("--host") + 1], argv[argv.index("--port") + 1] = LOOPBACK, str(port)
    return [sys.executable, *argv[1:]] if argv[0] == "python" else [sys.executable, "-m", *argv]


@contextmanager
def serving(name: str, directory: Path) -> Iterator[int]:
    """A server with none of its backends, which /healthz and what is refused do not need. Yields its port."""
    with running(name, directory) as (port, _):
        yield port


@contextmanager
def running(name: str, directory: Path, **settings: str) -> Iterator[tuple[int, Child]]:
    """The same, with settings; yields its process, too."""
    port = free_port()
    foreign = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL")
    inherited = {key: value for key, value in os.environ.items() if key not in foreign}
    env = inherited | {"DATA_DIR": str(directory), "STORE": "embedded", "DRAIN_SECONDS": "0"} | settings
    child = start(name, command(name, port, directory), env=env, cwd=ROOT, log=directory / f"{name}.log")
    try:
        health = f"http://{LOOPBACK}:{port}/healthz"
        assert wait_until(lambda: child.ended() or answers_200(health), seconds=START_SECONDS)
        assert not child.ended(), (directory / f"{name}.log").read_text()
        yield port, child
    finally:
        stop([child], grace_seconds=5)


class Client:
    """One connection, closed with its last mention."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=PATIENCE)
        finalize(self, self.socket.close)
        self._since = time.monotonic()

    def send(self, data: bytes) -> "Client":
        self.socket.sendall(data)
        return self

    def answer(self) -> bytes:
        """All that comes until the server ends the connection; fails if it does not."""
        received = b""
        while piece := self._piece():
            received += piece
        return received

    def seconds(self) -> float:
        return time.monotonic() - self._since

    def _piece(self) -> bytes:
        try:
            return self.socket.recv(65_536)
        except ConnectionResetError:
            return b""


def half_sent(port: int, path: bytes = b"/healthz") -> Client:
    """A write of which the beginning of the body has come."""
    head = b"POST %b HTTP/1.1\r\n%bContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" % (path, HOST)
    return Client(port).send(head + b"5\r\n{")


def get(port: int, path: bytes = b"/healthz", *fields: bytes) -> bytes:
    more = b"".join(field + b"\r\n" for field in fields)
    return Client(port).send(b"GET %b HTTP/1.1\r\n%b%bConnection: close\r\n\r\n" % (path, HOST, more)).answer()


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def sent_before_the_end(port: int, method: bytes, path: bytes, *, most: int) -> int:
    """How many bytes of a body without end are taken until the connection ends; `most` if it does not."""
    client = Client(port).send(b"%b %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (method, path, HOST))
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for number in range(most // len(piece)):
        try:
            client.send(piece)
        except OSError:
            return number * len(piece)
    return most
