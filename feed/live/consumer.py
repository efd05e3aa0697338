"""The WebSocket door, `/ws/feed`: frames of `feed.v1` in, streams out."""

import structlog

from accounts.entities import Viewer
from feed.live.frames import BadFrame, ClientFrame, CloseCode, OverQuota, decode
from feed.live.guard import guard_of
from feed.live.listener import listener
from feed.live.quota import quota
from feed.live.socket import NOBODYS, LiveConsumer
from feed.live.streams.stream import Signal
from feed.live.streams.table import make_stream
from feed.live.subscriptions import Subscriptions
from feed.live.told import Frame, Pong, Ready, encode, failed
from storage.errors import BadRequest, Unavailable
from storage.web.paging import decode_settled

PROTOCOL = "feed.v1"
BEARER = "bearer"

log = structlog.get_logger(__name__)


class FeedConsumer(LiveConsumer):
    """One socket."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._subscriptions = Subscriptions(self._queue, self._write)

    def protocol(self, offered: list[str]) -> str | None:
        return PROTOCOL if PROTOCOL in offered else BEARER if BEARER in offered else None

    async def connected(self, offered: list[str]) -> None:
        self._queue.wire = guard_of(self.scope).wire
        token = self._offered_token(offered)
        if token is not None:
            await self._sign_in(token)

    async def handle(self, text: str | None) -> None:
        frame = decode(text)
        if frame.type == "auth" and self._viewer is None:
            await self._sign_in(frame.token)
        elif self._viewer is None:
            await self._end(CloseCode.NOT_AUTHENTICATED)
        elif frame.type == "ping":
            await self._write(Pong())
        elif frame.type == "subscribe":
            await self._subscribe(frame, self._viewer)
        elif frame.type == "unsubscribe":
            await self._unsubscribe(frame, self._viewer)
        else:
            raise BadFrame

    async def signed_in(self, viewer: Viewer) -> None:
        self._queue.pump(self._tell)
        await self._write(Ready())

    async def _tell(self, signal: Signal) -> None:
        """Writes what the signal says; what nobody foresaw ends the socket."""
        try:
            await self._subscriptions.tell(signal)
        except OSError:
            self._forget()  # the client is gone
        except Exception:
            log.exception("live_socket_failed")
            await self._end(CloseCode.SERVER_ERROR)

    async def unavailable(self, error: Unavailable) -> None:
        await self._write(failed(error))
        if self._viewer is None:
            await self._end(CloseCode.NOT_AUTHENTICATED)

    def end_streams(self) -> None:
        self._subscriptions.end()

    async def _write(self, frame: Frame) -> None:
        await self.send(encode(frame))

    async def _subscribe(self, frame: ClientFrame, viewer: Viewer) -> None:
        try:
            await quota.count(viewer.id)
            stream = make_stream(frame.stream, viewer, self._write)
            after = decode_settled(frame.after) if frame.after is not None else None
            await listener.listen_to(stream.topic)
            self._subscriptions.subscribe(stream, after)
        except (BadRequest, OverQuota) as error:
            await self._write(failed(error))

    async def _unsubscribe(self, frame: ClientFrame, viewer: Viewer) -> None:
        try:
            self._subscriptions.unsubscribe(make_stream(frame.stream, viewer, self._write).topic)
        except BadRequest as error:
            await self._write(failed(error))

    def _offered_token(self, offered: list[str]) -> str | None:
        """Returns the token of the Authorization header, or what follows `bearer` among the subprotocols.

        NOBODYS where none can be found there; None if the client offers none yet.
        """
        token = self._header_token()
        if token is None and BEARER in offered:
            others = [each for each in offered if each not in (BEARER, PROTOCOL)]
            return others[0] if others else NOBODYS
        return token
