"""The WebSocket door, `/ws/feed`: authentication, frames in, the home stream out.

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
from feed.live.frames import BadFrame, ClientFrame, CloseCode, decode, encode
from feed.live.listener import listener
from feed.live.registry import LiveQueue, Signal, SignalKind, registry
from feed.live.streams.home import STREAM, HomeStream
from feed.live.threads import housekeeping
from storage.errors import BadRequest, Forbidden, NotSignedIn, ServiceError, Unavailable
from storage.web.paging import decode_cursor

PROTOCOL = "feed.v1"
BEARER = "bearer"
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._token = ""
        self._viewer: Viewer | None = None
        self._queue = LiveQueue()
        self._stream: HomeStream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._auth_timeout: asyncio.TimerHandle | None = None
        self._frames: list[float] = []
        self._ended = False

    async def __call__(self, *connection: Any) -> None:
        """However the connection ends, and be it by an exception out of a send, it is forgotten."""
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
        """Frames that were on their way when the socket was ended are not looked at."""
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
            await self._subscribe(frame)
        elif frame.type == "unsubscribe":
            await self._unsubscribe(frame)
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
        if registry.add(viewer.id, self._queue) > SOCKETS_A_READER:
            await self._end(CloseCode.TOO_MANY)
            return
        listener.start()
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._keep_checking())]
        await self.send(encode("ready"))

    async def _subscribe(self, frame: ClientFrame) -> None:
        assert self._viewer is not None  # noqa: S101 - _handle has checked
        if frame.stream != STREAM:
            await self._say_error("unknown_stream", "There is no such stream.")
            return
        try:
            after = decode_cursor(frame.after) if frame.after is not None else None
        except BadRequest as error:
            await self._say_error(error.code, error.message)
            return
        await listener.subscribed()
        await listener.appear(self._viewer.id)
        self._queue.put(Signal(SignalKind.SUBSCRIBE, registry.watermark, after=after))

    async def _unsubscribe(self, frame: ClientFrame) -> None:
        if frame.stream != STREAM:
            await self._say_error("unknown_stream", "There is no such stream.")
            return
        self._queue.put(Signal(SignalKind.UNSUBSCRIBE))

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
            await self._write(await self._queue.get())

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

    async def _write(self, signal: Signal) -> None:
        """A backend that is down for a moment costs a resync, not the socket."""
        try:
            if signal.kind is SignalKind.SUBSCRIBE and self._viewer is not None:
                stream = HomeStream(self._viewer, self.send)
                await stream.open(signal.after, signal.watermark)
                self._stream = stream
                await stream.begin()
            elif signal.kind is SignalKind.UNSUBSCRIBE:
                self._stream = None
            elif self._stream is not None:
                await self._stream.handle(signal)
        except Unavailable as error:
            await self._say_error(error.code, error.message)
            asyncio.get_running_loop().call_later(error.retry_after_seconds, self._queue.put, Signal(SignalKind.RESYNC))

    async def _checked_viewer(self) -> Viewer | None:
        """Whose the token is; closes the socket when it is nobody's. A backend that is down proves nothing."""
        try:
            viewer = await housekeeping(authenticate, self._token)
        except NotSignedIn:
            await self._end(CloseCode.NOT_AUTHENTICATED)
        except Forbidden:
            await self._end(CloseCode.FORBIDDEN)
        except Unavailable as error:
            await self._say_error(error.code, error.message)
            if self._viewer is None:
                await self._end(CloseCode.NOT_AUTHENTICATED)
        else:
            return viewer
        return None

    async def _say_error(self, code: str, detail: str) -> None:
        await self.send(encode("error", code=code, detail=detail))

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
            registry.remove(self._viewer.id, self._queue)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _offered_token(self, offered: list[str]) -> str | None:
        """The token of the Authorization header, or what follows `bearer` among the subprotocols."""
        headers = dict(self.scope["headers"])
        if b"authorization" in headers:
            try:
                return bearer_token(headers[b"authorization"].decode("latin-1"))
            except ServiceError:
                return ""
        if BEARER in offered:
            others = [each for each in offered if each not in (BEARER, PROTOCOL)]
            return others[0] if others else ""
        return None

    def _origin_allowed(self) -> bool:
        """Browsers send an Origin, native clients none: same host, or one of ALLOWED_ORIGINS."""
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
