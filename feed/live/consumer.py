"""The WebSocket door, `/ws/feed`: authentication, frames in, streams out.

A socket has one pump, which awaits its queue and writes frames; frames of the client are
handled beside it. The pump of a slow client waits in `send`, its queue fills up, and nobody
else notices.
"""

import asyncio
import contextlib
from typing import Any

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from accounts.entities import Viewer
from accounts.sessions.authentication import bearer_token
from accounts.sessions.tokens import authenticate
from feed.live.frames import BadFrame, ClientFrame, CloseCode, OverQuota, decode, encode, error_frame
from feed.live.guard import guard_of
from feed.live.listener import listener
from feed.live.quota import quota
from feed.live.registry import LiveQueue, registry
from feed.live.streams.stream import READER, Topic
from feed.live.streams.table import make_stream
from feed.live.subscriptions import Subscriptions
from feed.live.threads import housekeeping
from storage.errors import BadRequest, Forbidden, NotSignedIn, ServiceError, TooMany, Unavailable
from storage.web.client_address import scope_address
from storage.web.paging import decode_settled

PROTOCOL = "feed.v1"
BEARER = "bearer"
NOBODYS = ""
"""A token that signs nobody in."""
RECHECK_SECONDS = 30.0
"""A socket's token is looked at anew this often, for what no change announces: its expiry."""

log = structlog.get_logger(__name__)


class FeedConsumer(AsyncWebsocketConsumer):
    """One socket."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._token = ""
        self._viewer: Viewer | None = None
        self._queue = LiveQueue()
        self._subscriptions = Subscriptions(self._queue, self.send)
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = False

    async def __call__(self, *connection: Any) -> None:
        """Forgets the connection however it ends, and be it by an exception out of a send."""
        try:
            await super().__call__(*connection)
        finally:
            self._forget()

    async def connect(self) -> None:
        """Accepts first, so that a client that is refused sees a close code."""
        offered = list(self.scope["subprotocols"])
        await self.accept(PROTOCOL if PROTOCOL in offered else BEARER if BEARER in offered else None)
        if not self._origin_allowed():
            await self._end(CloseCode.FORBIDDEN)
            return
        token = self._offered_token(offered)
        if token is not None:
            await self._sign_in(token)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handles a frame of the client; those that were on their way when the socket was ended are not looked at."""
        if self._ended:
            return
        try:
            await self._handle(decode(text_data))
        except BadFrame:
            await self._end(CloseCode.BAD_FRAME)

    async def disconnect(self, code: int) -> None:
        self._forget()

    async def _handle(self, frame: ClientFrame) -> None:
        if frame.type == "auth" and self._viewer is None:
            await self._sign_in(frame.token)
        elif self._viewer is None:
            await self._end(CloseCode.NOT_AUTHENTICATED)
        elif frame.type == "ping":
            await self.send(encode("pong"))
        elif frame.type == "subscribe":
            await self._subscribe(frame, self._viewer)
        elif frame.type == "unsubscribe":
            await self._unsubscribe(frame, self._viewer)
        else:
            raise BadFrame

    async def _sign_in(self, token: str) -> None:
        guard = guard_of(self.scope)
        guard.token_came()
        self._token = token
        viewer = await self._checked_viewer()
        if viewer is None:
            return
        self._viewer = viewer
        if not guard.sign_in(viewer.id):
            await self._end(CloseCode.TOO_MANY)
            return
        registry.add(Topic(READER, viewer.id), self._queue)
        listener.start()
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._keep_checking())]
        await self.send(encode("ready"))

    async def _subscribe(self, frame: ClientFrame, viewer: Viewer) -> None:
        try:
            await quota.count(viewer.id)
            stream = make_stream(frame.stream, viewer, self.send)
            after = decode_settled(frame.after) if frame.after is not None else None
        except (BadRequest, OverQuota) as error:
            await self.send(error_frame(error))
            return
        await listener.listen_to(stream.topic)
        self._subscriptions.subscribe(stream, after)

    async def _unsubscribe(self, frame: ClientFrame, viewer: Viewer) -> None:
        try:
            self._subscriptions.unsubscribe(make_stream(frame.stream, viewer, self.send).topic)
        except BadRequest as error:
            await self.send(error_frame(error))

    async def _pump(self) -> None:
        """Writes what the queue says, until the socket ends; what nobody foresaw ends the socket."""
        try:
            await self._write_signals()
        except OSError:
            self._forget()  # the client is gone
        except Exception:
            log.exception("live_socket_failed")
            await self._end(CloseCode.SERVER_ERROR)

    async def _write_signals(self) -> None:
        while not self._ended:
            await self._subscriptions.tell(await self._queue.get())

    async def _keep_checking(self) -> None:
        """Looks at the token when told to, and now and then, however far behind the pump is."""
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._queue.recheck.wait(), RECHECK_SECONDS)
            self._queue.recheck.clear()
            try:
                await self._checked_viewer()
            except OSError:
                self._forget()  # the client is gone
                return

    async def _checked_viewer(self) -> Viewer | None:
        """Returns whose the token is; closes the socket when it is nobody's. A backend that is down proves nothing.

        Bad tokens count against the address; a token that was good once is looked at whatever others there have sent.
        """
        address = scope_address(self.scope) if self._viewer is None else None
        try:
            viewer = await housekeeping(authenticate, self._token, address)
        except NotSignedIn:
            await self._end(CloseCode.NOT_AUTHENTICATED)
        except TooMany:
            await self._end(CloseCode.TOO_MANY)
        except Forbidden:
            await self._end(CloseCode.FORBIDDEN)
        except Unavailable as error:
            await self.send(error_frame(error))
            if self._viewer is None:
                await self._end(CloseCode.NOT_AUTHENTICATED)
        else:
            return viewer
        return None

    async def _end(self, code: CloseCode) -> None:
        """Cancels what is still being written first: a client that reads slowly is closed all the same."""
        self._ended = True
        self._forget()
        with contextlib.suppress(RuntimeError, OSError):
            await self.close(code)

    def _forget(self) -> None:
        if self._viewer is not None:
            registry.remove(Topic(READER, self._viewer.id), self._queue)
        self._subscriptions.end()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _offered_token(self, offered: list[str]) -> str | None:
        """Returns the token of the Authorization header, or what follows `bearer` among the subprotocols.

        NOBODYS where none can be found there; None if the client offers none yet.
        """
        headers = dict(self.scope["headers"])
        if b"authorization" in headers:
            try:
                return bearer_token(headers[b"authorization"].decode("latin-1"))
            except ServiceError:
                return NOBODYS
        if BEARER in offered:
            others = [each for each in offered if each not in (BEARER, PROTOCOL)]
            return others[0] if others else NOBODYS
        return None

    def _origin_allowed(self) -> bool:
        """Whether there is no Origin, as of native clients, or it is the same host or one of ALLOWED_ORIGINS."""
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        return not origin or origin in settings.ALLOWED_ORIGINS or origin.partition("://")[2] == host
