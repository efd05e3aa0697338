"""What stands around every socket of the server, whatever it speaks: how many there may be, how fast, and until when.

    server → Guarded → routes → a consumer, which finds its `Guard` in the scope

A consumer tells its guard that a token was offered (`token_came`) and whose it was (`sign_in`); the rest it does by
itself: a socket has a place from the handshake to its end (places.py), 5 s until a token comes, and FRAMES_A_WINDOW
frames each WINDOW_SECONDS. The frames that a server's protocol answers by itself never come here: they are counted
where they are read (config/http/sockets.py).

Who finds no place is told by 4429, or, if many do or the process is full, by 503 in place of the handshake, which
leaves nothing behind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, cast

import msgspec

from feed.live.frames import CloseCode
from feed.live.places import Full, places
from feed.live.queues import Wire
from feed.live.shared_places import shared_places
from feed.live.windows import Window
from storage.web.client_address import scope_address

AUTH_SECONDS = 5.0
FRAMES_A_WINDOW = 100
WINDOW_SECONDS = 10.0
WIRE = "feed.wire"
"""The extension of a server's scope that holds its `Wire`, where frames can be written at once."""
SUBPROTOCOLS = ("feed.v1", "graphql-transport-ws", "bearer")
"""Of these a refused socket is given the first that it offers: a browser tells no code of one that gets none."""
REFUSED_A_SECOND = 50
"""Sockets that are accepted to be told a code: each lives on until its client has answered."""
RETRY_AFTER_SECONDS = 5

# What ASGI says of its messages and scopes.
Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Ended(OSError):
    """Something was sent to a socket that had been closed on this side."""


class Guard:
    """Of one socket, from its handshake to its end."""

    def __init__(self, address: str, receive: Receive, send: Send, wire: Wire | None = None) -> None:
        self.wire = wire
        """How to write at once; None of a server that does not say."""
        self._address = address
        self._receive = receive
        self._send = send
        self._frames = Window(FRAMES_A_WINDOW, WINDOW_SECONDS)
        self._had_token = False
        self._reader_id: int | None = None
        self._ended = False
        self._closing: asyncio.Task[None] | None = None
        places.come(address)
        self._auth_timeout = asyncio.get_running_loop().call_later(AUTH_SECONDS, self._time_out)

    def token_came(self) -> None:
        """Waits no longer for one: to check it takes as long as it takes."""
        self._auth_timeout.cancel()
        if not self._had_token:
            self._had_token = True
            places.token_came(self._address)

    def sign_in(self, reader_id: int) -> bool:
        """Counts the socket as that reader's. Returns False if the reader has too many here, and then is to be closed.

        Of those in other processes shared_places.py knows.
        """
        self.token_came()
        self._reader_id = reader_id
        return places.sign_in(reader_id)

    async def receive(self) -> Message:
        """Returns the next message; once there were too many, or the socket was closed, that it is disconnected."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        if not self._ended and self._frames.allows():
            return message
        await self.close(CloseCode.TOO_MANY)
        return {"type": "websocket.disconnect", "code": CloseCode.TOO_MANY}

    async def send(self, message: Message) -> None:
        """Sends a message. Raises `Ended` after the close, whoever closed."""
        if self._ended:
            raise Ended
        self._ended = message["type"] == "websocket.close"
        await self._send(message)

    async def close(self, code: CloseCode) -> None:
        """Closes the socket, unless it is closed. Waits for a client that reads slowly as long as the server does."""
        if not self._ended:
            await self.send({"type": "websocket.close", "code": code})

    def leave(self) -> None:
        """Gives the socket's place back."""
        self._auth_timeout.cancel()
        places.leave(self._address, self._reader_id, had_token=self._had_token)
        if self._reader_id is not None:
            shared_places.left(self._reader_id)

    def _time_out(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._close_for_time())

    async def _close_for_time(self) -> None:
        if not self._had_token:
            try:
                await self.close(CloseCode.AUTH_TIMEOUT)
            except (OSError, RuntimeError):
                self._ended = True  # the client is gone


class Guarded:
    """An ASGI application: the sockets of another one, each with a guard in its scope."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._told = Window(REFUSED_A_SECOND, 1.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = scope_address(scope)
        full = places.full(address)
        if full is not None:
            await self._refuse(full, scope, send)
            return
        guard = Guard(address, receive, send, scope.get("extensions", {}).get(WIRE))
        try:
            scope["guard"] = guard  # no copy, which each socket would keep: the scope is that of this one
            await self._application(scope, guard.receive, guard.send)
        except Ended:
            return
        finally:
            guard.leave()

    async def _refuse(self, full: Full, scope: Scope, send: Send) -> None:
        if full is Full.ADDRESS and self._told.allows():
            offered = next((each for each in SUBPROTOCOLS if each in scope["subprotocols"]), None)
            await send({"type": "websocket.accept", "subprotocol": offered})
            await send({"type": "websocket.close", "code": CloseCode.TOO_MANY})
        elif "websocket.http.response" in scope.get("extensions", {}):
            await _answer_full(send)
        else:
            await send({"type": "websocket.close"})


async def _answer_full(send: Send) -> None:
    problem = {
        "type": "/problems/unavailable",
        "title": "Temporarily unavailable",
        "status": 503,
        "detail": "There are too many connections; please try again shortly.",
    }
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"retry-after", str(RETRY_AFTER_SECONDS).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": msgspec.json.encode(problem)})


def guard_of(scope: Mapping[str, object]) -> Guard:
    """Returns the guard of the socket with this scope."""
    return cast(Guard, scope["guard"])
