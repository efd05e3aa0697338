"""The WebSocket protocol of the servers: what a client's bytes may cost before anybody has looked at them.

uvicorn's own, named by its option `--ws`, with bounds that it does not have:
- A message, all its fragments together, has MAX_MESSAGE_BYTES at most; a longer one ends with 1009. Compression is
  never negotiated: it would make a thousand bytes of one.
- Every frame counts, also those that are answered here (pings), mean nothing (pongs nobody asked for), or are a part
  of a message that never ends: as many as a client's messages may be (feed/live/guard.py), then 4429.
- A handshake has HANDSHAKE_SECONDS.
- Whatever ends, its connection is gone ENDING_SECONDS later, though the client read nothing of what is left.
- A server that is told to end sends its sockets away one by one, over DRAIN_SECONDS (1012).

So what a client has sent, and nobody has read, is 64 KB of an unfinished message and what one read of the connection
brought, 256 KB; after a message nothing is read until it was taken. A connection that is half open is found by the
server's own pings, `--ws-ping-interval` and `--ws-ping-timeout`.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from config.http.socket_waits import Gate, Inbox
from feed.live.frames import CloseCode
from feed.live.guard import FRAMES_A_WINDOW, WINDOW_SECONDS, WIRE
from feed.live.told import Frame as Told
from feed.live.windows import Window

MAX_MESSAGE_BYTES = 64 * 1024
"""A frame of the feed is below 4 KB; a GraphQL document of 20,000 characters with its variables fits."""
HANDSHAKE_SECONDS = 5.0
CLOSING_SECONDS = 3.0
"""For the client's part of the closing handshake."""
FRAMES_KEPT = 128
"""Of those that many are told: 1 to 3 KB each."""
ENDING_SECONDS = 10.0
"""For what is still to be written to a client that reads slowly."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    __slots__ = (
        *("_deadline", "_failed", "_frames_lately", "_leaving", "_pong"),
        # What uvicorn's own keeps: in a dictionary it takes 1.6 KB, and is found more slowly.
        *("app", "app_state", "asgi_version", "client", "close_sent", "close_timeout", "close_timer", "config", "conn"),
        *("connections", "curr_msg_data_type", "default_headers", "disconnected", "frames", "handshake_complete"),
        *("handshake_initiated", "initial_response", "last_ping_rtt", "logger", "loop", "pending_ping_payload"),
        *("ping_interval", "ping_sent_at", "ping_timeout", "ping_timer", "pong_timer", "queue", "read_paused"),
        *("request", "response", "root_path", "scheme", "scope", "server", "tasks", "transport", "writable"),
    )

    writable: Gate  # type: ignore[assignment]  # which does what uvicorn asks of its own

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.queue = cast(Any, Inbox())
        self.writable = Gate()
        self.close_timeout = CLOSING_SECONDS
        self.conn = _CountedProtocol(self._allows, min(MAX_MESSAGE_BYTES, config.ws_max_size))
        self._frames_lately = Window(FRAMES_A_WINDOW, WINDOW_SECONDS)
        self._pong: bytes | None = None
        """The payload of the last ping of ours that was answered."""
        self._failed = False
        self._deadline: asyncio.TimerHandle | None = None
        self._leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._abort_in(HANDSHAKE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._abort_in(None)
        if self.handshake_initiated and self.response.status_code == 101:
            del self.scope["extensions"][WIRE]  # or the two would keep each other
        if self._leaving is not None:
            self._leaving.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on; drops what comes after a failure, while the client may still be reading why."""
        if self._failed:
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None:
            self._failed = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Begins the socket; its scope says how to write to it at once (feed/live/queues.py: `Wire`)."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][WIRE] = cast(Any, self)

    def write_now(self, frames: Sequence[Told]) -> bool:
        """Writes frames past the application's layers; returns False, and writes none, where `send` would wait.

        As `send` would write them: a server's frames have no mask, so that many sockets are told the same bytes.
        """
        transport = self.transport
        over = self.close_sent or self._failed or transport.is_closing()
        if over or not self.writable.is_open or not self.handshake_complete:
            return False
        for frame in frames:
            transport.write(_framed(frame.text))
        return True

    def handle_parser_exception(self) -> None:
        """Tells the client what was wrong, and goes on reading for a moment: who closes at once may not be heard."""
        self._failed = True
        sent = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": sent.code if sent else 1006, "reason": ""})
        self.close_sent = True
        self.stop_keepalive()
        if sent is None:
            self.transport.abort()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSING_SECONDS, self.transport.close)
        self._abort_in(ENDING_SECONDS)

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._abort_in(ENDING_SECONDS)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_in(ENDING_SECONDS)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._abort_in(ENDING_SECONDS)

    async def send(self, message: Any) -> None:
        """Sends; a close waits for a client that does not read no longer than until its connection is ended."""
        if message["type"] == "websocket.close":
            self._abort_in(ENDING_SECONDS)
        await super().send(message)
        if message["type"] == "websocket.accept":
            self._abort_in(None)
            if self.handshake_complete:
                self._forget_handshake()

    def _forget_handshake(self) -> None:
        """Lets go of some kilobytes that nobody asks for again: the application has the scope."""
        self.request.headers.clear()
        self.response.headers.clear()
        self.scope = cast(Any, {"extensions": self.scope["extensions"]})

    def shutdown(self) -> None:
        """Sends the client away (1012: come back) at a moment of its own within DRAIN_SECONDS, served until then."""
        if self.handshake_complete and not self.close_sent:
            moment = random.uniform(0, settings.DRAIN_SECONDS)  # noqa: S311 - not a secret
            self._leaving = self.loop.call_later(moment, self._leave)
        else:
            super().shutdown()

    def _leave(self) -> None:
        super().shutdown()
        self._abort_in(ENDING_SECONDS)

    def _allows(self, frame: Frame) -> bool:
        """Counts a frame, but for the answer to a ping of ours."""
        payload = bytes(frame.data)
        if frame.opcode is Opcode.PONG and payload == self.pending_ping_payload != self._pong:
            self._pong = payload
            return True
        return self._frames_lately.allows()

    def _abort_in(self, seconds: float | None) -> None:
        """Ends the connection then, or at the deadline it has, whatever is still to be written; None: not for now."""
        if seconds is None and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif seconds is not None and self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)


@lru_cache(FRAMES_KEPT)
def _framed(text: str) -> bytes:
    """A text frame, made once for all who are told it."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


class _CountedProtocol(ServerProtocol):
    """Fails with 4429 at the first frame that is not allowed; what comes behind it is not looked at."""

    def __init__(self, allows: Callable[[Frame], bool], max_size: int) -> None:
        super().__init__(max_size=max_size)
        self._allows = allows

    def recv_frame(self, frame: Frame) -> None:
        if self._allows(frame):
            super().recv_frame(frame)
        else:
            self.fail(CloseCode.TOO_MANY, "too many frames")
            self.parser_exc = ProtocolError("too many frames")
