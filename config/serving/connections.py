"""How long a client may take, and how many connections are kept, where uvicorn serves.

    10 s  for a header, from the connection or from its first byte: 408, or nothing if nothing came
     5 s  and 1 MB for what is left of a body that nobody reads; then the connection ends
    30 s  for each 48 KB of an answer that does not fit into the buffer
    75 s  (uvicorn's --timeout-keep-alive) from an answer to the next request

Of connections there are at most MAX, and at most EACH of a peer unless that is a proxy of ours: beyond that the one
that has been without a request for the longest is closed, and where all have one the new one hears 503.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import h11
from django.conf import settings
from uvicorn.server import ServerState

from config.http.problems import Problem
from config.http.refusals import ProblemProtocol

HEADER_SECONDS = 10.0
LEFTOVER_SECONDS = 5.0
LEFTOVER_BYTES = 1024 * 1024
TAKING_SECONDS = 30.0
TAKING_BYTES = 48 * 1024
"""What is between the marks of asyncio's buffer: with less to write, the client is not waited for."""
MAX = min(2_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
"""The other half of what the process may open is for sockets that are upgraded, files and backends."""
EACH = MAX // 2

SLOW = Problem(status=408, detail="The header came too slowly.", code="too_slow")
FULL = Problem(
    status=503, detail="There are too many connections.", code="too_many_connections", headers={"Retry-After": "1"}
)


@dataclass(slots=True)
class Connections:
    """Those of one server, by peer. In `idle` they stand in the order in which they became so."""

    of: dict[str, int] = field(default_factory=dict)
    count: int = 0
    idle: dict["BoundedProtocol", None] = field(default_factory=dict)


_connections: WeakKeyDictionary[ServerState, Connections] = WeakKeyDictionary()


class BoundedProtocol(ProblemProtocol):
    """uvicorn's own, with bounds; named by its option `--http`."""

    transport: asyncio.Transport
    _peer: str
    _leftover = 0
    """Bytes that came after the answer to their request."""
    _counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._all = _connections.setdefault(self.server_state, Connections())
        self._peer = self.client[0] if self.client else ""
        if self._has_place():
            self._enter()
            self._start("header", HEADER_SECONDS, self._header_is_late)
        else:
            self.refuse(FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._leftover:
            self._leftover += len(data)
            if self._leftover > LEFTOVER_BYTES:
                self.transport.abort()
                return
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_taking()
        else:
            self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self._stop("taking")
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Ends a connection that asks for nothing more, even if it has not taken all that was answered."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._leave()
        is_paused = self.flow.write_paused
        super().handle_websocket_upgrade(event)
        if is_paused:  # which a transport says once, to who was there then
            self.transport.get_protocol().pause_writing()

    def _look(self) -> None:
        """At what is going on, after something has happened: whose turn is it?"""
        if not self._counted:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._all.idle.pop(self, None)
            self._stop("header")
            self._stop("leftover")
            return
        self._all.idle.setdefault(self)
        if self.conn.their_state is h11.SEND_BODY:
            self._leftover = self._leftover or 1
            self._start("leftover", LEFTOVER_SECONDS, self.transport.abort)
            return
        self._leftover = 0
        self._stop("leftover")
        if self.conn.trailing_data[0]:
            self._start("header", HEADER_SECONDS, self._header_is_late)

    def _expect_taking(self) -> None:
        """Looks again and again whether the client takes what is written for it."""
        left = self.transport.get_write_buffer_size()

        def look() -> None:
            self._stop("taking")
            if left - self.transport.get_write_buffer_size() < TAKING_BYTES:
                self.transport.abort()
            else:
                self._expect_taking()

        self._start("taking", TAKING_SECONDS, look)

    def _header_is_late(self) -> None:
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            self.refuse(SLOW)
            self._start("closing", TAKING_SECONDS, self.transport.abort)
        else:
            self.transport.abort()

    def _has_place(self) -> bool:
        """Makes one, if need be, at the cost of who has been idle for the longest."""
        each = MAX if settings.TRUSTED_PROXIES else EACH
        crowded = self._all.of.get(self._peer, 0) >= each
        if not crowded and self._all.count < MAX:
            return True
        for other in self._all.idle:
            if not crowded or other._peer == self._peer:
                other._leave()
                other.transport.abort()
                return True
        return False

    def _enter(self) -> None:
        self._counted = True
        self._all.count += 1
        self._all.of[self._peer] = self._all.of.get(self._peer, 0) + 1
        self._all.idle[self] = None

    def _leave(self) -> None:
        """Is counted no more, and times nothing; may be called again."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if not self._counted:
            return
        self._counted = False
        self._all.count -= 1
        self._all.idle.pop(self, None)
        self._all.of[self._peer] -= 1
        if not self._all.of[self._peer]:
            del self._all.of[self._peer]

    def _start(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """One that runs already runs on."""
        if name not in self._timers:
            self._timers[name] = self.loop.call_later(seconds, action)

    def _stop(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
