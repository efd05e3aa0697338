"""Sockets that never sign in, and what can be sent through them."""

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, ClassVar

from tests.attack.attack import Attack, Seen, all_at_once
from tests.attack.target import Target
from tests.attack.wire import CONTINUATION, GONE, PING, TEXT, Socket, frame

SENDERS = 20
PIECE = b"x" * 65_536
LARGEST = 16 * 2**20
"""What websockets and uvicorn take in one message unless they are told otherwise."""
ENDING_SECONDS = 3.0
"""For a server to end what it will not take."""
OPENING_SECONDS = 6.0
"""For a server to answer the upgrades of all of them."""
DEFLATE = "permessage-deflate; client_no_context_takeover"
Step = Callable[[Socket, float], Coroutine[Any, Any, None]]

ENDED = frozenset({"closed 1002", "closed 1003", "closed 1007", "closed 1008", "closed 1009"}) | {
    f"closed {code}" for code in (1013, 4400, 4401, 4408, 4429)
}
REFUSED = frozenset({"refused 403", "refused 429", "refused 503", "hung up"})


async def one_socket(target: Target, source: str, send: Step, seconds: float, extensions: str = "") -> str:
    """Opens a socket, sends until that is done or the server has hung up; how the server ends it."""
    try:
        socket = await Socket.open(target.live(source), extensions=extensions)
    except GONE:
        return "hung up"
    async with socket.line:
        if socket.status != 101:
            return f"refused {socket.status}"
        if extensions and "permessage-deflate" not in socket.head:
            # Nothing may be packed then; what is packed all the same ends the socket.
            extensions = ""
        sending = asyncio.create_task(send(socket, seconds))
        try:
            return await socket.end(seconds + ENDING_SECONDS)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


class SilentSockets(Attack):
    """Four hundred sockets from one address that are opened and say nothing.

    An address has a bounded number of them, MAX_UNSIGNED_SOCKETS_BY_ADDRESS, and who does not sign in is closed after
    5 s; together they take less than 32 MB.
    """

    name = "silent-sockets"
    expected = ENDED | REFUSED | {"open"}
    growth_mb = 32
    COUNT: ClassVar[int] = 400
    MOST_OPEN: ClassVar[int] = 64
    """Twice the default, for servers that count by themselves."""

    async def strike(self, target: Target, seconds: float) -> Seen:
        sockets = (self._silent(target, seconds) for _ in range(self.COUNT))
        return await all_at_once(sockets, seconds + OPENING_SECONDS)

    async def _silent(self, target: Target, seconds: float) -> str:
        socket = await Socket.open(target.live(self.source))
        async with socket.line:
            return await socket.end(seconds) if socket.status == 101 else f"refused {socket.status}"

    def faults(self, seen: Seen) -> list[str]:
        stayed = seen["open"] + seen["closed 4408"]
        many = [f"{stayed} sockets of one address stayed; {self.MOST_OPEN} are allowed"]
        return super().faults(seen) + (many if stayed > self.MOST_OPEN else [])


class Sending(Attack):
    """Sockets before sign-in, all of which send the same kind of thing."""

    expected = ENDED | REFUSED
    growth_mb = 48
    extensions: ClassVar[str] = ""

    async def send(self, socket: Socket, seconds: float) -> None:
        """Sends, until it is enough. May raise as a writer does."""
        raise NotImplementedError

    async def strike(self, target: Target, seconds: float) -> Seen:
        sockets = (one_socket(target, self.source, self.send, seconds, self.extensions) for _ in range(SENDERS))
        return await all_at_once(sockets, seconds + ENDING_SECONDS + OPENING_SECONDS)


class Frames(Sending):
    """Frames of 16 MB, all but the last byte, on twenty sockets before sign-in.

    A frame above the limit of a message ends the socket when its header is read: nothing is kept. Together they take
    less than 48 MB, of 320 MB that are sent.
    """

    name = "frames"

    async def send(self, socket: Socket, seconds: float) -> None:
        await socket.line.send(frame(b"", length=LARGEST))
        for _ in range(LARGEST // len(PIECE) - 1):
            await socket.line.send(PIECE)


class Fragments(Sending):
    """Messages in pieces: of 64 KB up to 15 MB, and of one byte, 40,000 of them.

    The limit is the whole message's, and an unfinished one counts; the socket is ended. Together they take less than
    48 MB.
    """

    name = "fragments"

    async def send(self, socket: Socket, seconds: float) -> None:
        tiny = id(socket) // 64 % 2 == 0
        piece = frame(b"x", CONTINUATION, fin=False) * 500 if tiny else frame(PIECE, CONTINUATION, fin=False)
        await socket.line.send(frame(b'{"type": "', TEXT, fin=False))
        for _ in range(80 if tiny else 240):
            await socket.line.send(piece)


class Pings(Sending):
    """Protocol pings without end, whose pongs nobody reads for as long as that lasts.

    Pings count as frames do, a hundred in ten seconds; the socket is ended, and no pongs pile up.
    """

    name = "pings"

    async def send(self, socket: Socket, seconds: float) -> None:
        for _ in range(100):
            await socket.line.send(frame(b"p" * 125, PING) * 200)


class DeflateBombs(Sending):
    """Messages of 15 MB that are 15 KB on the way, unfinished, for whom permessage-deflate is agreed on.

    Nothing is inflated beyond the limit of a message, or nothing is packed at all: a packed frame ends the socket then.
    """

    name = "deflate-bombs"
    extensions = DEFLATE

    async def send(self, socket: Socket, seconds: float) -> None:
        await socket.line.send(frame(bomb(LARGEST - 2**20), TEXT, fin=False, packed=True))
        await asyncio.sleep(seconds)


@cache
def bomb(size: int) -> bytes:
    """That many spaces, deflated as WebSocket has it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(b" " * size) + packer.flush(zlib.Z_SYNC_FLUSH)
