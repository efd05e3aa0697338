"""Commands out and answers in over connections that are kept open: one round trip, and little else.

redis-py makes the connections (addresses, TLS, timeouts, handshakes) and its parser reads the
answers; what stands here replaces its pipeline and the checkout of its pool, which cost a
request of two round trips 300 µs of 1,300 in Python, and cost 90 here (CPU time, docs/adr/022).

A connection that was idle is looked at before it is used: one that the server has closed, or on which
something waits that nobody asked for, is made anew. Nothing is sent twice.

**Timeouts** are the kernel's (SO_RCVTIMEO, SO_SNDTIMEO): Python's own ask with poll before each send
and each receipt, and every system call hands the interpreter's lock to another thread. A round
trip that was five of them is two.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import redis
from django.conf import settings
from hiredis import pack_command
from prometheus_client import Gauge
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import MaxConnectionsError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from storage import figures

CONNECTIONS = 64
"""At most this many connections a process; each request thread holds one at a time."""
TRUSTED_SECONDS = 0.05
"""A connection that answered so lately is taken to be open still. If it is not, that one call is refused, as any is
whose server dies under it."""

Words = tuple[str | bytes | int, ...]
"""A command with its arguments."""


class Wire:
    """One connection; belongs to one thread at a time.

    `greeted`: of a cluster's node, the slots whose generation was asked for since it was connected (cluster.py).
    """

    def __init__(self, connection: Any, open_ones: Gauge) -> None:
        self._connection = connection
        self._open_ones = open_ones
        self._poller: select.poll | None = None
        self._used_at = 0.0
        self.greeted: set[int] = set()
        self.epoch = 0
        """Of the pool, as it was taken out; in another one it has to be connected anew."""

    def exchange(self, commands: Sequence[Words]) -> list[object]:
        """Returns the answers in order, errors that the server answered among them.

        Raises redis-py's errors and `OSError` when it does not answer; then the connection is closed,
        and made anew when it is used again.
        """
        try:
            self.make_ready()
            self.send(commands)
            return self.receive(len(commands))
        except BaseException:
            self.close()
            raise

    def send(self, commands: Sequence[Words]) -> None:
        """Sends them, on a connection that was made ready; whoever does not `receive` the answers has to `close`."""
        self._connection.send_packed_command((b"".join(map(_packed, commands)),), check_health=False)

    def has_answered(self) -> bool:
        """Says whether anything has come that is not received yet. Waits for nothing."""
        return self._poller is not None and bool(self._poller.poll(0))

    def receive(self, count: int) -> list[object]:
        """Returns the next answers, errors that the server answered among them."""
        read = self._connection._parser.read_response
        answers = [read() for _ in range(count)]
        self._used_at = time.monotonic()
        return answers

    def close(self) -> None:
        if self._poller is not None:
            self._open_ones.dec()
        self._poller = None
        self.greeted.clear()
        self._connection.disconnect()

    def make_ready(self) -> None:
        """Looks whether it is connected still, and connects it if not."""
        if self._poller is not None and time.monotonic() > self._used_at + TRUSTED_SECONDS and self._poller.poll(0):
            self.close()
        if self._poller is None:
            self._connection.connect()
            sock, seconds = self._connection._sock, self._connection.socket_timeout
            timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
            sock.settimeout(None)
            self._poller = select.poll()
            self._poller.register(sock, select.POLLIN)
            self._open_ones.inc()


def _packed(command: Words) -> bytes:
    """Names of two words, as redis-py lets one write them ("SCRIPT LOAD"), are two arguments to the server."""
    name = command[0]
    if isinstance(name, str) and " " in name:
        command = (*name.split(), *command[1:])
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # takes a tuple of any length
    return packed


class Wires(ConnectionPool):
    """The connections of one process to one node, as many as are used at once. Thread-safe, not across forks.

    A pool of redis-py's, for its clients that subscribe; `exchange` has connections of its own. `backend` is what
    metrics call the node.
    """

    backend = ""

    def reset(self) -> None:
        super().reset()
        self._opening = threading.Lock()
        self._idle: list[Wire] = []
        self._epoch = 0

    def exchange(self, commands: Sequence[Words]) -> list[object]:
        """Does as `Wire.exchange`, on the connection that was used last, so that few stay open.

        Raises `MaxConnectionsError` when `max_connections` are in use.
        """
        wire = self._take()
        try:
            return wire.exchange(commands)
        finally:
            self._give_back(wire)

    @contextmanager
    def lent(self) -> Generator[Wire]:
        """Lends the connection that was used last, ready; it is closed unless all goes well. Raises as `exchange`."""
        wire = self._take()
        try:
            wire.make_ready()
            yield wire
        except BaseException:
            wire.close()
            raise
        finally:
            self._give_back(wire)

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Has each connection made anew when it is used again: closes those that are idle, and each other one as it
        comes back (of redis-py's own also what is in use)."""
        self._epoch += 1
        super().disconnect(inuse_connections)
        idle: list[Wire] = []
        while self._idle:
            with suppress(IndexError):  # taken by a thread in between
                idle.append(self._idle.pop())
        for wire in idle:
            wire.close()
        self._idle.extend(idle)

    def _take(self) -> Wire:
        epoch = self._epoch
        try:
            wire = self._idle.pop()
        except IndexError:
            with self._opening:
                wire = self._new()
        if wire.epoch != epoch:  # it came back amid a disconnect, or waited closed since
            wire.close()
            wire.epoch = epoch
        return wire

    def _new(self) -> Wire:
        exhausted = figures.EXHAUSTED.labels(self.backend)  # is there before it is 1: a rate needs a value before
        try:
            return Wire(self.make_connection(), figures.CONNECTIONS.labels(self.backend))
        except MaxConnectionsError:
            exhausted.inc()
            raise

    def _give_back(self, wire: Wire) -> None:
        if wire.epoch != self._epoch:
            wire.close()
        self._idle.append(wire)


def connect(url: str, *, handshake: Callable[[AbstractConnection], None] | None = None) -> "redis.Redis":
    """Returns a client with short, explicit timeouts and no retries; answers are bytes."""
    pool = Wires.from_url(
        url,
        redis_connect_func=handshake,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=CONNECTIONS,
    )
    return redis.Redis.from_pool(pool)


def is_silence(error: Exception) -> bool:
    """Returns whether the node did not answer; an error that it answered, or a pool that is used up, is none.

    Of an error that another library raised in its place, the cause tells.
    """
    silences = (NoConnection, NoAnswer, OSError)
    silent = isinstance(error, silences) or isinstance(error.__cause__, silences)
    return silent and not isinstance(error, MaxConnectionsError)
