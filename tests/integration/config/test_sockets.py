"""The servers' WebSocket protocol against clients that mean no good: an echo behind it, raw bytes before it."""

import asyncio
import io
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import pytest
import uvicorn
from pytest_django.fixtures import Settings

from config.asgi_front import BoundedProtocol
from config.http import sockets
from config.http.sockets import MAX_MESSAGE_BYTES, SocketProtocol
from deploy.supervisor.processes import wait_until

CONTINUED, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it hears; to `flood` it says more than anybody takes, and to `bye` it closes."""
    await receive()
    await send({"type": "websocket.accept"})
    async with asyncio.TaskGroup() as tasks:
        with suppress(OSError):
            while (message := await receive())["type"] == "websocket.receive":
                if message["text"] == "flood":
                    tasks.create_task(flood(send))
                elif message["text"] == "bye":
                    await send({"type": "websocket.close", "code": 4400})
                    return
                else:
                    await send({"type": "websocket.send", "text": message["text"][:20]})


BODY = b"x" * 20_000_000
FRAMES = 300
_told: list[int] = []


async def big_then_many(scope: Any, receive: Any, send: Any) -> None:
    """Answers a request with more than a connection takes at once, and says more to a socket."""
    await receive()
    if scope["type"] == "http":
        length = str(len(BODY)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": BODY})
        return
    _told.clear()
    with suppress(OSError, RuntimeError):
        await send({"type": "websocket.accept"})
        for number in range(FRAMES):
            await send({"type": "websocket.send", "text": "x" * 60_000})
            _told.append(number)


async def flood(send: Any) -> None:
    with suppress(OSError, RuntimeError):
        while True:
            await send({"type": "websocket.send", "text": "x" * 60_000})


class Served:
    """A server in this process, and how many connections it has."""

    def __init__(self, application: Any = echo, *, pings: float = 20.0, **options: Any) -> None:
        self.clients: list[socket.socket] = []
        self._listening = listening = socket.create_server(("127.0.0.1", 0))
        given: dict[str, Any] = {
            "lifespan": "off",
            "log_level": "critical",
            "ws_ping_interval": pings,
            "ws_ping_timeout": pings,
        }
        config = uvicorn.Config(application, ws=SocketProtocol, **given, **options)
        self.server = uvicorn.Server(config)
        self.port: int = listening.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([listening])), daemon=True)
        self._thread.start()
        assert wait_until(lambda: self.server.started, seconds=20)

    def end(self) -> None:
        for client in self.clients:
            client.close()
        self.server.should_exit = True
        self._thread.join(20)
        self._listening.close()

    def has_nobody(self, seconds: float) -> bool:
        return wait_until(lambda: not self.server.server_state.connections, seconds=seconds)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name in ("CLOSING_SECONDS", "ENDING_SECONDS"):
        monkeypatch.setattr(sockets, name, 0.5)
    served = Served()
    yield served
    served.end()


@pytest.fixture
def pinging() -> Iterator[Served]:
    """A server that asks its clients every second whether they are there."""
    served = Served(pings=1.0)
    yield served
    served.end()


class Client:
    """A socket that says what it is told to, and answers nothing by itself."""

    def __init__(self, served: Served, handshake: str = HANDSHAKE) -> None:
        self.raw = socket.create_connection(("127.0.0.1", served.port), timeout=20)
        served.clients.append(self.raw)
        self.raw.sendall(handshake.encode() + b"\r\n")
        self._read = io.BufferedReader(socket.SocketIO(self.raw, "r"))
        self.answer = b"".join(iter(self._read.readline, b"\r\n"))

    def say(self, *frames: bytes) -> "Client":
        with suppress(OSError):  # a server that has ended
            self.raw.sendall(b"".join(frames))
        return self

    def next(self, *, pings: bool = False) -> tuple[int, bytes]:
        """The next frame's kind and payload; of ours, whose are short or of 126 bytes and more."""
        kind, length = self._read.read(2)
        if length == 126:
            [length] = struct.unpack("!H", self._read.read(2))
        payload = self._read.read(length)
        return (kind & 15, payload) if pings or kind & 15 != PING else self.next()

    def close_code(self) -> int:
        kind, payload = self.next()
        while kind != CLOSE:
            kind, payload = self.next()
        return int.from_bytes(payload[:2])


def frame(kind: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """A client's, with a mask of zeros."""
    size = len(payload)
    length = bytes([128 | size]) if size < 126 else b"\xfe" + struct.pack("!H", min(size, 65_535))
    if size > 65_535:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([kind | 128 * last]) + length + bytes(4) + payload


def test_a_message_has_a_bound_and_one_below_it_is_taken(served: Served) -> None:
    client = Client(served).say(frame(TEXT, b"y" * MAX_MESSAGE_BYTES))
    assert client.next() == (TEXT, b"y" * 20)
    assert client.say(frame(TEXT, b"y" * (MAX_MESSAGE_BYTES + 1))).close_code() == 1009
    announced = Client(served).say(b"\x81\xff" + struct.pack("!Q", 2**40) + bytes(4))
    assert announced.close_code() == 1009


def test_so_have_all_fragments_of_a_message_together(served: Served) -> None:
    part = b"y" * (MAX_MESSAGE_BYTES // 4)
    parts = [frame(TEXT, part, last=False)] + [frame(CONTINUED, part, last=False)] * 3
    assert Client(served).say(*parts, frame(CONTINUED)).next() == (TEXT, b"y" * 20)
    assert Client(served).say(*parts, frame(CONTINUED, b"y")).close_code() == 1009


def test_compression_is_not_negotiated_and_what_is_compressed_is_no_frame(served: Served) -> None:
    client = Client(served)
    assert b" 101 " in client.answer
    assert b"extensions" not in client.answer.lower()
    assert client.say(bytes([0x40 | 0x80 | TEXT]) + frame(TEXT, b"xx")[1:]).close_code() == 1002


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([frame(PING, b"hello")] * 101, id="pings"),
        pytest.param([frame(PONG)] * 101, id="pongs nobody asked for"),
        pytest.param([frame(TEXT, last=False), *[frame(CONTINUED, last=False)] * 100], id="empty fragments"),
        pytest.param([frame(TEXT)] * 101, id="empty messages"),
        pytest.param([frame(TEXT, b"hi"), frame(PING)] * 51, id="all sorts"),
        pytest.param([frame(PING)] * 40_000, id="more than are read at once"),
    ],
)
def test_every_frame_counts(served: Served, frames: list[bytes]) -> None:
    client = Client(served).say(*frames)
    assert client.close_code() == 4429
    assert served.has_nobody(10)


def test_a_client_that_sends_on_and_on_hears_its_code_and_is_ended(served: Served) -> None:
    client = Client(served).say(*[frame(PING)] * 101)
    begun = time.monotonic()
    with suppress(OSError):
        while time.monotonic() < begun + 10:
            client.raw.sendall(frame(PING) * 1_000)
    assert time.monotonic() < begun + 5
    assert served.has_nobody(5)


def test_a_client_that_answers_the_servers_pings_stays_and_these_answers_do_not_count(pinging: Served) -> None:
    client = Client(pinging)
    for _ in range(4):
        kind, payload = client.next(pings=True)
        assert kind == PING
        client.say(frame(PONG, payload))
    client.say(*[frame(TEXT, b"hi")] * 100)
    assert [client.next() for _ in range(100)] == [(TEXT, b"hi")] * 100


def test_a_client_that_is_gone_without_a_word_is_found(pinging: Served) -> None:
    client = Client(pinging)
    assert pinging.server.server_state.connections
    assert pinging.has_nobody(10)
    assert client.close_code() == 1011


def test_a_client_that_is_behind_and_reads_nothing_is_ended(pinging: Served) -> None:
    Client(pinging).say(frame(TEXT, b"flood"))
    assert pinging.has_nobody(15)


def test_a_close_waits_for_a_client_that_reads_nothing_no_longer_than_that(served: Served) -> None:
    Client(served).say(frame(TEXT, b"flood"), frame(TEXT, b"bye"))
    assert served.has_nobody(15)


def test_a_close_that_is_not_answered_ends_all_the_same(served: Served) -> None:
    client = Client(served).say(frame(TEXT, b"bye"))
    assert client.close_code() == 4400
    assert served.has_nobody(10)


def test_a_server_that_ends_sends_its_sockets_away_one_by_one_and_serves_them_until_then(
    served: Served, settings: Settings
) -> None:
    settings.DRAIN_SECONDS = 2.0
    clients = [Client(served) for _ in range(20)]
    begun = time.monotonic()
    served.server.should_exit = True
    assert wait_until(lambda: not served.server.servers[0].is_serving(), seconds=5)
    for client in clients:
        client.say(frame(TEXT, b"hi"))
    answers = [client.next() for client in clients]
    assert answers.count((TEXT, b"hi")) >= 10
    left = {client: kind for client, (kind, _) in zip(clients, answers, strict=True) if kind == TEXT}
    assert {client.close_code() for client in left} == {1012}
    assert served.has_nobody(5)
    assert 1.0 < time.monotonic() - begun < 4.0


@pytest.mark.parametrize("field", ["X-Long: " + "x" * 9_000, "Sec-WebSocket-Key: short"])
def test_a_handshake_that_is_refused_is_answered_and_ended(served: Served, field: str) -> None:
    client = Client(served, HANDSHAKE + field + "\r\n")
    assert client.answer.startswith(b"HTTP/1.1 4")
    assert served.has_nobody(10)


def test_thirty_unfinished_messages_cost_next_to_nothing(served: Served) -> None:
    before = resident()
    header = b"\x81\xff" + struct.pack("!Q", 16 * 2**20) + bytes(4)
    clients = [Client(served).say(header, bytes(2**20)) for _ in range(30)]
    assert {client.close_code() for client in clients} == {1009}
    assert resident() - before < 30 * 2**20


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_who_had_not_read_before_their_socket_began_is_waited_for() -> None:
    """A connection says once that it is full: to what it was before."""
    served = Served(big_then_many, http=BoundedProtocol)
    try:
        raw = socket.create_connection(("127.0.0.1", served.port), timeout=20)
        served.clients.append(raw)
        raw.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + HANDSHAKE.encode() + b"\r\n")
        assert not wait_until(lambda: len(_told) > 100, seconds=1.5), "nobody reads"
        wanted = len(BODY) + FRAMES * 60_000
        while wanted > 0 and (some := raw.recv(1 << 20)):
            wanted -= len(some)
        assert wanted <= 0, "it was closed"
        assert wait_until(lambda: len(_told) == FRAMES, seconds=20)
    finally:
        served.end()


def test_nothing_is_kept_of_a_handshake_that_is_over(served: Served) -> None:
    client = Client(served)
    client.say(frame(TEXT, b"hello"))
    assert client.next() == (TEXT, b"hello")
    [protocol] = cast(Any, served.server.server_state.connections)
    assert set(protocol.scope) == {"extensions"}
    assert not protocol.request.headers
    assert not protocol.response.headers
