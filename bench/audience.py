"""Sockets of many readers at once, and when each got what: a client that costs little beside the server it measures.

It reads frames as far as it must to count them. All sockets belong to one event loop.
"""

import asyncio
import base64
import os
import socket
import struct
import time
from collections.abc import Sequence
from typing import cast

FIRST, LONG, PING, TEXT = 0x80, 126, 9, 1
CONNECTING = 64
"""Handshakes under way at once."""
PATIENCE_SECONDS = 60.0


class Listener(asyncio.Protocol):
    """One socket, which says `greeting` once it is open. `times` are the moments of frames that begin with `marked`."""

    def __init__(self, path: str, token: str, greeting: bytes, marked: bytes) -> None:
        self.times: list[float] = []
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head = _handshake(path, token)
        self._greeting = greeting
        self._marked = marked
        self._read = b""
        self._upgraded = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"A socket was refused: {self._read[:200]!r}"))

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._upgraded:
            head, end, self._read = self._read.partition(b"\r\n\r\n")
            if not end:
                self._read = head
                return
            if b" 101 " not in head:
                raise ConnectionError(f"A socket was refused: {head[:200]!r}")
            self._upgraded = True
            self.say(self._greeting)
        self._take_frames(time.perf_counter())

    def say(self, text: bytes) -> None:
        """Sends a text frame."""
        self._send(TEXT, text)

    def _take_frames(self, now: float) -> None:
        """A server's frames have no mask."""
        place = 0
        while len(self._read) >= place + 4:
            size, start = self._read[place + 1], place + 2
            if size >= LONG:
                width = 2 if size == LONG else 8
                size, start = int.from_bytes(self._read[start : start + width]), start + width
            if len(self._read) < start + size:
                break
            self._take(self._read[place] & 15, self._read[start : start + size], now)
            place = start + size
        self._read = self._read[place:]

    def _take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == PING:
            self._send(PING + 1, payload)
        elif payload.startswith(self._marked):
            self.times.append(now)
        elif payload.startswith(b'{"type":"subscribed"') and not self.opened.done():
            self.opened.set_result(None)

    def _send(self, kind: int, payload: bytes) -> None:
        """Its mask is of zeros."""
        size = len(payload)
        length = bytes([FIRST | size]) if size < LONG else bytes([FIRST | LONG]) + struct.pack("!H", size)
        self.transport.write(bytes([FIRST | kind]) + length + bytes(4) + payload)


async def listen(
    port: int, tokens: Sequence[str], *, path: str, greeting: bytes, marked: bytes, receive_bytes: int | None = None
) -> list[Listener]:
    """Opens a socket for each token; returns when the server has said of each that it is subscribed.

    `receive_bytes` is how much the kernel keeps of what a socket does not read.
    """
    turns = asyncio.Semaphore(CONNECTING)

    async def one(token: str) -> Listener:
        async with turns:
            raw = socket.socket()
            if receive_bytes is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(raw, ("127.0.0.1", port))
            _, listener = await loop.create_connection(lambda: Listener(path, token, greeting, marked), sock=raw)
            await asyncio.wait_for(listener.opened, PATIENCE_SECONDS)
            return listener

    return list(await asyncio.gather(*map(one, tokens)))


async def heard(listeners: Sequence[Listener], count: int) -> None:
    """Returns when each has `count` marked frames. Raises `TimeoutError` after PATIENCE_SECONDS."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for listener in listeners:
            while len(listener.times) < count:
                await asyncio.sleep(0.002)


def leave(listeners: Sequence[Listener]) -> None:
    """Ends the connections without a word."""
    for listener in listeners:
        listener.transport.abort()


def _handshake(path: str, token: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        f"Authorization: Bearer {token}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
