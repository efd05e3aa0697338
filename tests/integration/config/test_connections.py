"""Connections are bounded in number, and those who do not speak or do not listen are left, where uvicorn serves."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch

import pytest
import uvicorn

from config.asgi_front import BoundedProtocol
from config.serving import connections
from deploy.supervisor.processes import wait_until
from tests.integration.config.servers import HOST, Client, get, status

LARGE = 24 * 1024 * 1024
GET = b"GET /%b HTTP/1.1\r\n" + HOST + b"\r\n"
release = threading.Event()
waiting: list[str] = []
"""The paths of requests that wait for it."""


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, or at /waits when the test says so, or at /large with more than any buffer holds."""
    if scope["path"] == "/waits":
        waiting.append(scope["path"])
        while not release.is_set():
            await asyncio.sleep(0.01)
    body = b"x" * LARGE if scope["path"] == "/large" else b"{}"
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(**bounds: float) -> Iterator[int]:
    release.clear()
    waiting.clear()
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http=BoundedProtocol, ws="none", lifespan="off", log_level="critical", timeout_keep_alive=60
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    with patch.multiple(connections, **cast(Any, bounds)):
        thread.start()
        assert wait_until(lambda: server.started, seconds=20)
        yield listening.getsockname()[1]
        release.set()
        server.should_exit = True
        server.force_exit = True
        thread.join(20)
    listening.close()


@pytest.mark.parametrize("bounds", [{"MAX": 3, "EACH": 9}, {"MAX": 9, "EACH": 3}], ids=["in all", "of a peer"])
def test_the_one_that_has_been_idle_for_the_longest_gives_way(bounds: dict[str, float]) -> None:
    with serving(**bounds) as port:
        first, second, third = (Client(port).send(GET % b"") for _ in range(3))
        for client in (first, second, third):
            assert client.socket.recv(15) == b"HTTP/1.1 200 OK"
        assert status(get(port)) == 200
        assert first.answer()[-2:] == b"{}"
        second.send(GET % b"")
        assert wait_until(lambda: second.socket.recv(65_536) != b"", seconds=5)


def test_where_all_are_busy_the_new_one_is_told_to_come_again() -> None:
    with serving(MAX=2, EACH=2) as port:
        busy = [Client(port).send(GET % b"waits") for _ in range(2)]
        assert wait_until(lambda: len(waiting) == 2, seconds=20)
        told = Client(port).answer()
        assert status(told) == 503
        assert b"retry-after: 1" in told
        release.set()
        assert all(client.socket.recv(15) == b"HTTP/1.1 200 OK" for client in busy)
        assert status(get(port)) == 200


def silent(port: int) -> Client:
    return Client(port)


def half_a_header(port: int) -> Client:
    return Client(port).send(b"GET / HTTP/1.1\r\nHo")


def half_a_second_header(port: int) -> Client:
    client = Client(port).send(GET % b"")
    client.socket.recv(65_536)
    return client.send(b"GET / HT")


@pytest.mark.parametrize(
    ("client", "told"), [(silent, b""), (half_a_header, b"HTTP/1.1 408"), (half_a_second_header, b"")]
)
def test_a_header_that_does_not_come_ends_the_connection(client: Callable[[int], Client], told: bytes) -> None:
    with serving(HEADER_SECONDS=0.2) as port:
        waiting = client(port)
        assert told in waiting.answer()[: len(told) or 65_536]
        assert waiting.seconds() < 10


def test_who_does_not_take_an_answer_is_left() -> None:
    with serving(TAKING_SECONDS=0.5) as port:
        client = Client(port).send(GET % b"large")
        assert client.socket.recv(15) == b"HTTP/1.1 200 OK"
        threading.Event().wait(1.5)
        assert len(client.answer()) < LARGE


def test_who_takes_it_gets_all_of_it_however_long_it_takes_altogether() -> None:
    with serving(TAKING_SECONDS=0.5) as port:
        assert len(get(port, b"/large")) > LARGE
