"""Load at a fixed rate, whether or not answers come: latencies count from when a request was due.

A closed loop (wrk) waits with a slow server and so leaves out what its users would have waited
(G. Tene, "How NOT to Measure Latency", 2013). Own code, as no maintained Python generator measures
from the schedule; HTTP/1.1 with Content-Length, on connections that are kept and opened as needed.
"""

import asyncio
import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from bench.results import percentile

GIVE_UP_SECONDS = 10.0
"""A request that is not answered by then counts as an error, with this latency."""


class Request(msgspec.Struct, frozen=True):
    """What is sent, and what it is counted as."""

    kind: str
    method: str
    path: str
    token: str
    body: bytes = b""
    status: int = 200


class Answered(msgspec.Struct, frozen=True):
    """One request: when it was due, and what it took from then on."""

    kind: str
    due: float
    seconds: float
    ok: bool
    late: float = 0.0
    """Of `seconds`, what the generator itself took before it sent: its own lag, not the server's."""


class Offered(msgspec.Struct, frozen=True):
    """What came of a run."""

    rate: float
    answers: list[Answered]

    def errors(self) -> int:
        return sum(not each.ok for each in self.answers)

    def ms(self, percent: float, kind: str | None = None) -> float:
        """That percentile of the latencies, in ms."""
        taken = [each.seconds for each in self.answers if kind in (None, each.kind)]
        return percentile(taken, percent) * 1_000

    def late_ms(self, percent: float) -> float:
        """That percentile of the generator's own lag, in ms."""
        return percentile([each.late for each in self.answers], percent) * 1_000

    def per_second(self) -> float:
        """Answers a second, over the time until the last one."""
        return len(self.answers) / max(each.due + each.seconds for each in self.answers)


def offer(url: str, make: Callable[[], Request], *, rate: float, seconds: float, seed: int = 1) -> Offered:
    """Sends what `make` makes, `rate` a second at random distances (Poisson), for so many seconds."""
    return asyncio.run(_offer(url, make, rate, seconds, random.Random(seed)))  # noqa: S311 - no secret


async def _offer(url: str, make: Callable[[], Request], rate: float, seconds: float, dice: random.Random) -> Offered:
    connections = _Connections(url)
    tasks: list[asyncio.Task[Answered]] = []
    began, due = time.perf_counter(), 0.0
    while (due := due + dice.expovariate(rate)) < seconds:
        wait = due - (time.perf_counter() - began)
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(_send(connections, make(), began, due)))
    answers = await asyncio.gather(*tasks)
    connections.close()
    return Offered(rate, list(answers))


async def _send(connections: "_Connections", request: Request, began: float, due: float) -> Answered:
    late = time.perf_counter() - began - due
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            status = await connections.ask(request)
    except (OSError, EOFError, TimeoutError, ValueError, IndexError):
        status = 0
    return Answered(request.kind, due, time.perf_counter() - began - due, status == request.status, late)


class _Connections:
    """Idle connections, the most recently used first."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: Request) -> int:
        """The status of the answer; its body is read to the end."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._bytes(request))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return int(head[9:12])

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

    def _bytes(self, request: Request) -> bytes:
        fields = [
            f"{request.method} {request.path} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            f"Authorization: Bearer {request.token}",
        ]
        if request.body:
            fields += ["Content-Type: application/json", f"Content-Length: {len(request.body)}"]
        return "\r\n".join([*fields, "", ""]).encode() + request.body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
