"""The WebSocket door, `/ws/feed`: authentication, frames in, streams out.

A socket has one pump, which awaits its queue and writes frames; frames of the client are
handled beside it. The pump of a slow client waits in `send`, its queue fills up, and nobody
else notices.
"""

import asyncio
import contextlib
import time
from typing import Any

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from accounts.entities import Viewer
from accounts.sessions.authentication import bearer_token
from accounts.sessions.tokens import authenticate
from feed.live.frames import BadFrame, ClientFrame, CloseCode, decode, encode, error_frame
from feed.live.listener import listener
from feed.live.registry import LiveQueue, registry
from feed.live.streams.stream import READER, Topic
from feed.live.streams.table import make_stream
from feed.live.subscriptions import Subscriptions
from feed.live.threads import housekeeping
from storage.errors import BadRequest, Forbidden, NotSignedIn, ServiceError, TooMany, Unavailable
from storage.web.client_address import believed_address
from storage.web.paging import decode_settled

PROTOCOL = "feed.v1"
BEARER = "bearer"
NOBODYS = ""
"""A token that signs nobody in."""
AUTH_SECONDS = 5.0
RECHECK_SECONDS = 30.0
"""A socket's token is looked at anew this often, for what no change announces: its expiry."""
FRAMES_A_WINDOW = 100
WINDOW_SECONDS = 10.0
SOCKETS_A_READER = 20
"""In this process; somebody with more open tabs than that is a program gone wrong."""

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
        self._auth_timeout: asyncio.TimerHandle | None = None
        self._frames: list[float] = []
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
            return
        loop = asyncio.get_running_loop()
        self._auth_timeout = loop.call_later(AUTH_SECONDS, lambda: loop.create_task(self._time_out()))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handles a frame of the client; those that were on their way when the socket was ended are not looked at."""
        if self._ended:
            return
        try:
            self._count_frame()
            await self._handle(decode(text_data))
        except BadFrame:
            await self._end(CloseCode.BAD_FRAME)
        except _TooMany:
            await self._end(CloseCode.TOO_MANY)

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
        if self._auth_timeout is not None:
            self._auth_timeout.cancel()
        self._token = token
        viewer = await self._checked_viewer()
        if viewer is None:
            return
        self._viewer = viewer
        if registry.add(Topic(READER, viewer.id), self._queue) > SOCKETS_A_READER:
            await self._end(CloseCode.TOO_MANY)
            return
        listener.start()
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._keep_checking())]
        await self.send(encode("ready"))

    async def _subscribe(self, frame: ClientFrame, viewer: Viewer) -> None:
        try:
            stream = make_stream(frame.stream, viewer, self.send)
            after = decode_settled(frame.after) if frame.after is not None else None
        except BadRequest as error:
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
        """Returns whose the token is; closes the socket when it is nobody's. A backend that is down proves nothing."""
        try:
            viewer = await housekeeping(authenticate, self._token, self._address())
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

    async def _time_out(self) -> None:
        if self._viewer is None:
            await self._end(CloseCode.AUTH_TIMEOUT)

    async def _end(self, code: CloseCode) -> None:
        """Cancels what is still being written first: a client that reads slowly is closed all the same."""
        self._ended = True
        self._forget()
        with contextlib.suppress(RuntimeError, OSError):
            await self.close(code)

    def _forget(self) -> None:
        if self._auth_timeout is not None:
            self._auth_timeout.cancel()
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

    def _address(self) -> str:
        """Where the socket comes from, as far as that can be believed; bad tokens count against it."""
        forwarded = b",".join(value for name, value in self.scope["headers"] if name == b"x-forwarded-for")
        peer = self.scope.get("client") or ("",)
        return believed_address(forwarded.decode("latin-1"), str(peer[0]))

    def _origin_allowed(self) -> bool:
        """Whether there is no Origin, as of native clients, or it is the same host or one of ALLOWED_ORIGINS."""
        headers = dict(self.scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        return not origin or origin in settings.ALLOWED_ORIGINS or origin.partition("://")[2] == host

    def _count_frame(self) -> None:
        now = time.monotonic()
        self._frames = [moment for moment in self._frames if moment > now - WINDOW_SECONDS] + [now]
        if len(self._frames) > FRAMES_A_WINDOW:
            raise _TooMany


class _TooMany(Exception):
    """More frames than a client may send."""
