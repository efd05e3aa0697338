"""What a frame costs in a live process, how many bytes a socket takes, and how soon a follower has a tweet.

An author has ONLINE followers, each with a socket that is subscribed to home. Beside the live process runs a bare
ASGI application with as many sockets on the same server and protocol (`bench/bare_live.py`), which sends each a frame
as long. They are told in turn: tweets through a worker, then the bare ones. Frames a second are those of a process
that has a core to itself: by the processor time that it took until the last frame, checks of tokens included.

Latencies are those of a client in this process, which shares the machine's cores with servers, workers and itself.
A stalled socket has asked for its past until it is far behind, and reads nothing; it counts among what others wait for.
"""

import asyncio
import http.client
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

import httpx

from accounts.graph import exclusions
from bench import crowds, seeding
from bench.audience import Listener, heard, leave, listen
from bench.processes import cpu_seconds, resident
from bench.results import Figure, Result, Row, at_least, at_most, percentile
from bench.seeding import Person
from bench.stack import Stack
from deploy.errors import CannotStart
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, wait_until
from deploy.supervisor.runner import Command
from storage.web.paging import encode_cursor

ONLINE, BESIDE = 5_000, 1_000
POSTS, RUNS = 4, 4
ALONE, ROUNDS, EACH = 100, 16, 25
PAUSE_SECONDS = 0.1
SETTLED_SECONDS = 2.0
KB = 1_024
SMALL_WINDOW = 4_096
SUBSCRIBE = b'{"type":"subscribe","stream":"home"}'
TWEET = b'{"type":"tweet"'
ENTRIES = 400


class Town:
    """An author whom all readers follow, one whom one does, and one whom BESIDE do."""

    def __init__(self, stack: Stack) -> None:
        to_all, to_one, to_some = authors = seeding.people(3, prefix="author")
        self.readers = seeding.people(ONLINE, prefix="reader")
        [self.alone] = seeding.people(1, prefix="alone")
        crowds_of = {to_all: self.readers, to_one: [self.alone], to_some: self.readers[:BESIDE]}
        seeding.follow((reader.id, author.id) for author, crowd in crowds_of.items() for reader in crowd)
        ids = seeding.tweets([author.id for author in authors], ENTRIES)[::-1]
        crowds.make_active([self.alone.id, *(reader.id for reader in self.readers)], ids)
        self.oldest = encode_cursor(ids[-1])
        for reader in self.readers:  # who opens a socket has looked at a page before
            exclusions.refreshed(reader.id)
        self.poster_to_all, self.poster_to_one, self.poster_to_some = (Poster(stack, each) for each in authors)


def measure(stack: Stack) -> Result:
    town = Town(stack)
    with ExitStack() as servers:
        live = Served(stack, "config.asgi:application", servers)
        bare = Served(stack, "bench.bare_live:application", servers)
        rows = asyncio.run(_rows(town, live, bare))
    settings = {"sockets": f"{ONLINE:,}", "posts a run": str(POSTS), "runs": str(RUNS)}
    return Result("live", stack.env["STORE"], rows, settings)


class Served:
    """A process of the live server."""

    def __init__(self, stack: Stack, application: str, servers: ExitStack) -> None:
        self.port = free_port()
        protocols = ["--ws", "config.http.sockets:SocketProtocol", "--http", "config.asgi:BoundedProtocol"]
        pings = ["--ws-ping-interval", "20", "--ws-ping-timeout", "20"]
        address = ["--host", LOOPBACK, "--port", str(self.port), "--no-proxy-headers", "--no-access-log"]
        argv = [sys.executable, "-m", "uvicorn", application, *protocols, *pings, *address, "--lifespan", "off"]
        self._child: Child = stack.start(Command(application.partition(":")[0], argv))
        servers.callback(self._end)
        if not wait_until(self._answers, seconds=60):
            raise CannotStart(f"{application} does not answer")

    @property
    def cpu(self) -> float:
        return cpu_seconds(self._child.pid)

    @property
    def bytes(self) -> int:
        return resident(self._child.pid).rss

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=1)
        try:
            connection.connect()
        except OSError:
            return False
        connection.close()
        return True

    def _end(self) -> None:
        self._child.terminate()
        wait_until(self._child.ended, seconds=10)
        self._child.kill()


class Poster:
    """Posts as one person."""

    def __init__(self, stack: Stack, author: Person) -> None:
        headers = {"Authorization": f"Bearer {author.token}"}
        self._client = httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30)

    async def post(self) -> float:
        """Returns the moment of the 201."""
        answer = await self._client.post("/api/v1/tweets", json={"text": "To all who are here"})
        now = time.perf_counter()
        answer.raise_for_status()
        return now


async def _rows(town: Town, live: Served, bare: Served) -> list[Row]:
    return [
        *await _everyone(live, bare, town.poster_to_all, town.readers),
        await _one_follower(town.poster_to_one, await _home(live, [town.alone])),
        await _stalled(live, town.poster_to_some, town.readers[:BESIDE], oldest=town.oldest),
    ]


async def _home(live: Served, people: Sequence[Person], window: int | None = None) -> list[Listener]:
    """Sockets that are up to date: the first of a process may be told once more what is newer than the watermark."""
    tokens = [person.token for person in people]
    listeners = await listen(live.port, tokens, path="/ws/feed", greeting=SUBSCRIBE, marked=TWEET, receive_bytes=window)
    await asyncio.sleep(SETTLED_SECONDS)
    for each in listeners:
        each.times.clear()
    return listeners


async def _one_follower(poster: Poster, follower: list[Listener]) -> Row:
    taken = []
    for number in range(ALONE):
        posted = await poster.post()
        await heard(follower, number + 1)
        taken.append((follower[0].times[-1] - posted) * 1_000)
        await asyncio.sleep(PAUSE_SECONDS / 2)
    leave(follower)
    return Row(
        "201 to the frame of one follower, p99",
        Figure("after", "ms", [percentile(taken[1:], 99)]),
        reach=at_most(50),
        beside=[Figure("p50", "ms", [percentile(taken[1:], 50)])],
    )


async def _stalled(live: Served, poster: Poster, readers: Sequence[Person], *, oldest: str) -> Row:
    """The rounds without, and with, one that reads nothing, in turn, and so is which of the two comes first."""
    [silent, *others] = readers
    listeners = await _home(live, others)
    without, beside = [], []
    for number in range(ROUNDS):
        if number % 2:
            without.append(await _p99(poster, listeners))
        stalled = await _home(live, [silent], window=SMALL_WINDOW)
        _stall(stalled[0], oldest)
        await asyncio.sleep(1)
        beside.append(await _p99(poster, listeners))
        leave(stalled)
        if not number % 2:
            await asyncio.sleep(1)
            without.append(await _p99(poster, listeners))
    leave(listeners)
    return Row(
        f"a stalled socket among {len(readers):,}: others' p99",
        Figure("with it", "ms", beside),
        Figure("without", "ms", without),
        at_most(1.1),
    )


def _stall(listener: Listener, oldest: str) -> None:
    """Has what stands in the timeline told again and again, as far as a client may ask, and reads none of it."""
    listener.transport.pause_reading()
    for _ in range(20):
        listener.say(SUBSCRIBE[:-1] + f',"after":"{oldest}"}}'.encode())


async def _p99(poster: Poster, listeners: Sequence[Listener]) -> float:
    taken = []
    for _ in range(EACH):
        before = len(listeners[0].times)
        posted = await poster.post()
        await heard(listeners, before + 1)
        taken += [(each.times[-1] - posted) * 1_000 for each in listeners]
        await asyncio.sleep(PAUSE_SECONDS)
    return percentile(taken, 99)


async def _everyone(live: Served, bare: Served, poster: Poster, readers: Sequence[Person]) -> list[Row]:
    empty = live.bytes
    listeners = await _home(live, readers)
    size = (live.bytes - empty) / len(readers) / KB
    bares = await listen(bare.port, [""] * len(readers), path="/", greeting=b"here", marked=TWEET)
    turns = [await _turn(live, bare, poster, listeners, bares) for _ in range(RUNS + 1)][1:]
    leave(listeners)
    leave(bares)
    delays = [each for turn in turns for each in turn.delays]
    return [
        Row(
            f"a tweet to {len(readers):,} sockets of one process",
            Figure("frames by its processor time", "/s", [turn.ours for turn in turns]),
            Figure("bare", "/s", [turn.bare for turn in turns]),
            at_least(0.6),
            [Figure("frames from the first to the last", "/s", [rate for turn in turns for rate in turn.rates])],
        ),
        Row(
            "201 to the last of them, p99",
            Figure("after", "ms", [percentile(delays, 99)]),
            reach=at_most(500),
            beside=[Figure("p50", "ms", [percentile(delays, 50)])],
        ),
        Row("a socket", Figure("resident", "KB", [size]), reach=at_most(30)),
    ]


class Turn(NamedTuple):
    """What POSTS tweets, and as many frames of the bare process, have taken."""

    ours: float
    """Frames a second of its processor time; so is `bare`."""
    bare: float
    rates: list[float]
    """Frames a second by the clock, of each tweet."""
    delays: list[float]
    """Milliseconds from the 201 to the last."""


async def _turn(
    live: Served, bare: Served, poster: Poster, listeners: Sequence[Listener], bares: Sequence[Listener]
) -> Turn:
    rates, delays = [], []
    before, count = live.cpu, len(listeners[0].times)
    for number in range(count, count + POSTS):
        posted = await poster.post()
        await heard(listeners, number + 1)
        moments = [each.times[-1] for each in listeners]
        rates.append(len(listeners) / (max(moments) - min(moments)))
        delays.append((max(moments) - posted) * 1_000)
    await asyncio.sleep(PAUSE_SECONDS)
    ours, before, count = live.cpu - before, bare.cpu, len(bares[0].times)
    for number in range(count, count + POSTS):
        bares[0].say(b"go")
        await heard(bares, number + 1)
    await asyncio.sleep(PAUSE_SECONDS)
    frames = POSTS * len(listeners)
    return Turn(frames / ours, frames / (bare.cpu - before), rates, delays)
