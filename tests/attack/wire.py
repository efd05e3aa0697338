"""HTTP and WebSocket as an attacker speaks them: byte by byte, and wrong on purpose.

Every call has an end of its own, and none raises because a server hung up: that is an answer, too.
"""

import asyncio
import base64
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

ANSWER_SECONDS = 5.0
SEND_BUFFER = 65_536
"""Small, so that what was sent is what the server has taken, but for this."""
NO_ANSWER = 0
TEXT, CLOSE, PING = 0x1, 0x8, 0x9
CONTINUATION = 0x0
GONE = (OSError, asyncio.IncompleteReadError, TimeoutError)
"""What a peer that hangs up, or says nothing, looks like."""


@dataclass(frozen=True, slots=True)
class Door:
    """A server's port, and the loopback address that one comes from: limits are counted by that."""

    host: str
    port: int
    source: str
    fronted: bool = False
    """Whether a front of the product would stand between: X-Forwarded-For names the source."""

    async def open(self) -> "Line":
        """Connects. Raises `OSError` or `TimeoutError`."""
        raw = socket.socket()
        try:
            raw.setblocking(False)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            raw.bind((self.source, 0))
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.get_running_loop().sock_connect(raw, (self.host, self.port))
                reader, writer = await asyncio.open_connection(sock=raw)
        except BaseException:
            raw.close()
            raise
        return Line(reader, writer)

    def head(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Returns a request's head. Headers of the caller replace those that are sent anyway."""
        usual = {"Host": f"{self.host}:{self.port}", "Connection": "close"}
        if self.fronted:
            usual["X-Forwarded-For"] = self.source
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in (usual | {**(headers or {})}).items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> "Answer":
        """One request on a connection of its own, JSON unless the headers say otherwise."""
        about = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
        try:
            async with asyncio.timeout(seconds):
                line = await self.open()
                async with line:
                    await line.send(self.head(method, path, about | {**(headers or {})}) + (body or b""))
                    return await line.answer(seconds)
        except GONE:
            return Answer()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; NO_ANSWER when it said nothing in time, or hung up."""

    status: int = NO_ANSWER
    head: str = ""
    body: bytes = b""

    @classmethod
    def parsed(cls, raw: bytes) -> Self:
        head, _, body = raw.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        status = int(words[1]) if len(words) > 2 and words[1].isdigit() else NO_ANSWER
        return cls(status, head.decode("latin-1"), body)

    @property
    def outcome(self) -> str:
        return str(self.status) if self.status else "no answer"

    def header(self, name: str) -> str:
        """The first field of that name; empty without one."""
        fields = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return next((value.strip() for field_name, _, value in fields if field_name.lower() == name.lower()), "")


@dataclass(slots=True)
class Line:
    """A connection; a context that closes it, without manners."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: int = 0
    """Bytes that the server, or the kernel for it, has taken."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        with suppress(*GONE):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Returns when all of it is on its way. Raises `OSError` when the server has hung up."""
        self.writer.transport.set_write_buffer_limits(high=0)
        self.writer.write(data)
        await self.writer.drain()
        self.sent += len(data)

    async def answer(self, seconds: float = ANSWER_SECONDS) -> Answer:
        """What the server says until it hangs up, or the time is over."""
        raw = b""
        with suppress(*GONE):
            async with asyncio.timeout(seconds):
                while piece := await self.reader.read(65_536):
                    raw += piece
        return Answer.parsed(raw)

    async def hung_up(self, seconds: float) -> bool:
        """Whether the server ends the connection within that time; what it says is thrown away."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65_536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


@dataclass(slots=True)
class Socket:
    """A WebSocket, or the refusal of one."""

    line: Line
    status: int
    head: str
    frames: int = field(default=0)
    """Frames of the server's that were read."""

    @classmethod
    async def open(cls, door: Door, *, token: str | None = None, extensions: str = "", path: str = "/ws/feed") -> Self:
        """Asks for an upgrade. Raises `OSError`, `TimeoutError` or `IncompleteReadError` when nothing is answered."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        }
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if extensions:
            headers["Sec-WebSocket-Extensions"] = extensions
        line = await door.open()
        try:
            await line.send(door.head("GET", path, headers))
            async with asyncio.timeout(ANSWER_SECONDS):
                raw = await line.reader.readuntil(b"\r\n\r\n")
        except BaseException:
            line.writer.transport.abort()
            raise
        answer = Answer.parsed(raw)
        return cls(line, answer.status, answer.head)

    async def next(self) -> tuple[int, bytes]:
        """The opcode and the payload of the server's next frame. Raises as a reader does when it has hung up."""
        reader = self.line.reader
        first, length = await reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2))
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8))
        self.frames += 1
        return first & 0x0F, await reader.readexactly(length)

    async def end(self, seconds: float) -> str:
        """How the server ends it within that time: `closed <code>`, `hung up`, or `open`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    opcode, payload = await self.next()
                    if opcode == CLOSE:
                        return f"closed {int.from_bytes(payload[:2])}"
        except TimeoutError:
            return "open"
        except (OSError, asyncio.IncompleteReadError):
            return "hung up"


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, packed: bool = False, length: int = -1) -> bytes:
    """A client's frame, with a mask of zeros. `length` may be a lie; `packed` says that the payload is deflated."""
    said = len(payload) if length < 0 else length
    first = bytes([opcode | (0x80 if fin else 0) | (0x40 if packed else 0)])
    if said < 126:
        size = bytes([0x80 | said])
    elif said < 65_536:
        size = bytes([0x80 | 126]) + said.to_bytes(2)
    else:
        size = bytes([0x80 | 127]) + said.to_bytes(8)
    return first + size + bytes(4) + payload
