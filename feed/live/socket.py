"""What every socket is, whatever it speaks: signed in, told what its reader's streams have, and ended with its token.

What its streams have is pumped out of a queue (queues.py), one for the socket or one for each of its subscriptions,
beside the handling of what the client sends. The pump of a slow client waits in `send`, its queue fills up, and nobody
else notices.
"""

import asyncio
import contextlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, cast

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from structlog.contextvars import bind_contextvars

from accounts.entities import Viewer
from accounts.sessions.authentication import bearer_token
from accounts.sessions.tokens import authenticate
from fanout.live.figures import live_figures
from feed.live.frames import BadFrame, CloseCode
from feed.live.guard import Receive, Scope, Send, guard_of
from feed.live.listener import listener
from feed.live.queues import LiveQueue, cancel_other
from feed.live.rechecking import rechecking
from feed.live.registry import registry
from feed.live.shared_places import shared_places
from feed.live.streams.stream import READER, Topic
from feed.live.threads import housekeeping
from storage.errors import Forbidden, NotSignedIn, ServiceError, TooMany, Unavailable
from storage.spans import Kind
from storage.tracing import begins
from storage.web.client_address import scope_address

NOBODYS = ""
"""A token that signs nobody in."""


class LiveConsumer(AsyncWebsocketConsumer, ABC):
    """One socket. What it speaks is a class of its own, which says what is abstract here."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.token = ""
        self._viewer: Viewer | None = None
        self._queue = LiveQueue(self.look_at_token)
        self._checking: asyncio.Task[None] | None = None
        self._to_check = False
        self._ended = False

    @classmethod
    def serve(cls, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The ASGI application: a consumer for each socket, and nothing around it, as `as_asgi` would have."""
        return cls()(scope, receive, send)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handles one message after the other, as Channels does, but without a task for each: there is no layer to wait
        for besides. Forgets the connection however it ends, and be it by an exception out of a send. Log lines have its
        id."""
        bind_contextvars(socket_id=secrets.token_hex(8))
        self.scope, self.base_send = scope, send
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                await self.dispatch(message)
        finally:
            self._forget()

    async def dispatch(self, message: Any) -> None:
        """Handles a message of the client. Without Channels' look at the database's connections, which is a change of
        threads for each: they are tidied up behind what uses them (threads.py)."""
        if message["type"] == "websocket.connect":
            await self.connect()
        else:
            await self.receive(message.get("text"))

    async def connect(self) -> None:
        """Accepts first, so that a client that is refused sees a close code."""
        offered = list(self.scope["subprotocols"])
        await self.accept(self.protocol(offered))
        if self._origin_allowed():
            await self.connected(offered)
        else:
            await self._end(CloseCode.FORBIDDEN)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handles a frame of the client; those that were on their way when the socket was ended are not looked at."""
        if self._ended:
            return
        try:
            await self.handle(text_data)
        except BadFrame:
            await self._end(CloseCode.BAD_FRAME)

    async def send(self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool = False) -> None:  # type: ignore[override]
        live_figures.frames += 1
        await super().send(text_data, bytes_data, close)

    @abstractmethod
    def protocol(self, offered: list[str]) -> str | None:
        """Returns which of the subprotocols that the client offers is spoken, None for none."""

    @abstractmethod
    async def connected(self, offered: list[str]) -> None:
        """The client may speak from now on."""

    @abstractmethod
    async def handle(self, text: str | None) -> None:
        """Handles a frame of the client, None for a binary one. Raises `BadFrame`."""

    @abstractmethod
    async def signed_in(self, viewer: Viewer) -> None:
        """Tells the client that its token is good."""

    @abstractmethod
    async def unavailable(self, error: Unavailable) -> None:
        """Tells the client that its token could not be looked at."""

    @abstractmethod
    def end_streams(self) -> None:
        """Ends every stream of the socket. Idempotent."""

    @begins("live.sign_in", Kind.SERVER)
    async def _sign_in(self, token: str) -> None:
        guard = guard_of(self.scope)
        guard.token_came()
        self.token = token
        viewer = await self._checked_viewer()
        if viewer is None:
            return
        self._viewer = viewer
        self._drop_headers()
        bind_contextvars(user_id=viewer.id)
        if not (guard.sign_in(viewer.id) and await shared_places.has_place(viewer.id)):
            await self._end(CloseCode.TOO_MANY)
            return
        registry.add(Topic(READER, viewer.id), self._queue)
        listener.start()
        rechecking.add(self)
        await self.signed_in(viewer)

    def look_at_token(self) -> None:
        """Looks at the token anew, however far behind the pump is; once more if that is under way.

        And ends the socket when its client has asked too much.
        """
        self._to_check = True
        if self._checking is None and not self._ended:
            self._checking = asyncio.get_running_loop().create_task(self._check())

    async def _check(self) -> None:
        try:
            while self._to_check and not self._ended:
                self._to_check = False
                if self._queue.asked_too_much:
                    await self._end(CloseCode.TOO_MANY)
                else:
                    await self._checked_viewer()
        except OSError:
            self._forget()  # the client is gone
        finally:
            self._checking = None

    async def _checked_viewer(self) -> Viewer | None:
        """Returns whose the token is; closes the socket when it is nobody's. A backend that is down proves nothing.

        Bad tokens count against the address; a token that was good once is looked at whatever others there have sent.
        """
        address = scope_address(self.scope) if self._viewer is None else None
        try:
            viewer = await housekeeping(authenticate, self.token, address)
        except NotSignedIn:
            await self._end(CloseCode.NOT_AUTHENTICATED)
        except TooMany:
            await self._end(CloseCode.TOO_MANY)
        except Forbidden:
            await self._end(CloseCode.FORBIDDEN)
        except Unavailable as error:
            await self.unavailable(error)
        else:
            return viewer
        return None

    async def _end(self, code: int) -> None:
        """Cancels what is still being written first: a client that reads slowly is closed all the same."""
        self._ended = True
        self._forget()
        with contextlib.suppress(RuntimeError, OSError):
            await self.close(code)

    def _forget(self) -> None:
        if self._viewer is not None:
            registry.remove(Topic(READER, self._viewer.id), self._queue)
        rechecking.remove(self)
        self.end_streams()
        self._queue.forget()
        cancel_other(self._checking)

    def _drop_headers(self) -> None:
        """Lets go of a kilobyte, or several, which nobody asks for again, but for what tells the address."""
        headers = cast(list[tuple[bytes, bytes]], self.scope["headers"])
        headers[:] = [each for each in headers if each[0].lower() == b"x-forwarded-for"]

    def _header_token(self) -> str | None:
        """Returns the token of the Authorization header: NOBODYS where none can be found in it, None without one."""
        headers = dict(self.scope["headers"])
        if b"authorization" not in headers:
            return None
        return token_in(headers[b"authorization"].decode("latin-1"))

    def _origin_allowed(self) -> bool:
        """Whether there is no Origin, as of native clients, or it is the same host or one of ALLOWED_ORIGINS."""
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        return not origin or origin in settings.ALLOWED_ORIGINS or origin.partition("://")[2] == host


def token_in(authorization: str) -> str:
    """Returns the token of an Authorization field, NOBODYS where none can be found in it."""
    try:
        return bearer_token(authorization) or NOBODYS
    except ServiceError:
        return NOBODYS
