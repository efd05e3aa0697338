"""Requests that come slowly, or without end."""

import asyncio
import time
from collections.abc import Mapping
from typing import ClassVar

from tests.attack.attack import NO_ANSWER, Attack, Seen, all_at_once
from tests.attack.target import API, Target
from tests.attack.wire import GONE, Door

HALF = b'{"username": "'
READER_SECONDS = 5.0
BYTE_SECONDS = 0.5
ANSWER_SECONDS = 1.0
"""For what is answered to a body after its last piece."""
PIECE = b"a" * 65_536
CHUNK = b"10000\r\n" + PIECE + b"\r\n"


class Held(Attack):
    """Requests that are begun, and then come by two bytes a second."""

    expected = frozenset({"held", "408", "429", "503", "401", "403", "404", "413", "hung up", "a reader is answered"})
    home_ms = 1_000
    COUNT: ClassVar[int] = 48

    def beginning(self, door: Door, number: int) -> bytes:
        """What is sent at once."""
        raise NotImplementedError

    def more(self, number: int) -> bytes:
        """What is sent every BYTE_SECONDS."""
        return b" "

    async def strike(self, target: Target, seconds: float) -> Seen:
        holding = asyncio.create_task(self._hold(target, seconds + READER_SECONDS))
        begun = time.monotonic()
        # All of them stand before a reader comes.
        await asyncio.sleep(min(0.5, seconds / 2))
        well = await target.answers(seconds=READER_SECONDS)
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begun)))
        self._enough.set()
        seen = await holding
        seen["a reader is answered" if well else "a reader is not answered"] += 1
        return seen

    async def _hold(self, target: Target, seconds: float) -> Seen:
        self._enough = asyncio.Event()
        door = target.web(self.source)
        return await all_at_once((self._held(door, number) for number in range(self.COUNT)), seconds + 2)

    async def _held(self, door: Door, number: int) -> str:
        line = await door.open()
        async with line:
            await line.send(self.beginning(door, number))
            answering = asyncio.create_task(line.answer(60))
            while not self._enough.is_set() and not answering.done():
                await asyncio.wait([answering], timeout=BYTE_SECONDS)
                if not answering.done():
                    await line.send(self.more(number))
            if answering.done():
                outcome = answering.result().outcome
                return "hung up" if outcome == NO_ANSWER else outcome
            answering.cancel()
            return "held"


class SlowBodies(Held):
    """Forty-eight half-sent requests from one address, to every kind of door, which then send two bytes a second.

    A body is read before a thread is taken for it, with a deadline: a reader who comes meanwhile is answered as usual.
    """

    name = "slow-bodies"
    DOORS: ClassVar[tuple[str, ...]] = (f"{API}/auth/token", "/graphql", f"{API}/tweets", "/admin/login/", "/nowhere")

    def beginning(self, door: Door, number: int) -> bytes:
        chunked = number % 3 == 0
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": "1000"}
        head = door.head("POST", self.DOORS[number % len(self.DOORS)], {"Content-Type": "application/json", **length})
        return head + (b"%x\r\n%s\r\n" % (len(HALF), HALF) if chunked else HALF)

    def more(self, number: int) -> bytes:
        return b"1\r\n \r\n" if number % 3 == 0 else b" "


class SlowHeaders(Held):
    """Forty-eight requests whose header comes by two bytes a second.

    They take a connection each and nothing else; a reader who comes meanwhile is answered as usual.
    """

    name = "slow-headers"
    expected = Held.expected | {"400", "431"}

    def beginning(self, door: Door, number: int) -> bytes:
        return door.head("GET", f"{API}/feed/public")[:-2] + b"X-Slow: "

    def more(self, number: int) -> bytes:
        return b"s"


class EndlessBodies(Attack):
    """Chunked bodies without end, to the web server's doors and to the live server's.

    A body is taken up to its limit, 64 KB, and then refused; the connection ends when the client goes on. No more than
    4 MB of one is taken, buffers of the kernel included; nothing is kept in memory or on disk.
    """

    name = "endless-bodies"
    expected = frozenset({"400", "401", "403", "404", "405", "411", "413", "415", "426", "429", "hung up"})
    MOST_MB: ClassVar[float] = 4.0
    ENOUGH_MB: ClassVar[float] = 24.0
    """Of one body, however willingly it is taken."""
    WEB: ClassVar[tuple[str, ...]] = (
        f"{API}/tweets",
        f"{API}/auth/token",
        "/graphql",
        "/admin/login/",
        "/nowhere",
        "/",
    )
    LIVE: ClassVar[tuple[str, ...]] = ("/ws/feed", "/graphql", "/admin/login/", f"{API}/tweets", "/nowhere", "/healthz")

    async def strike(self, target: Target, seconds: float) -> Seen:
        self._taken: dict[str, float] = {}
        doors = [("web", target.web(self.source), path) for path in self.WEB]
        doors += [("live", target.live(self.source), path) for path in self.LIVE]
        return await all_at_once((self._endless(*each, seconds) for each in doors), seconds + 4)

    async def _endless(self, name: str, door: Door, path: str, seconds: float) -> str:
        headers: Mapping[str, str] = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        ends = time.monotonic() + seconds
        line = await door.open()
        async with line:
            answering = asyncio.create_task(line.answer(seconds + ANSWER_SECONDS))
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds):
                    await line.send(door.head("POST", path, headers))
                    while time.monotonic() < ends and line.sent < self.ENOUGH_MB * 2**20:
                        await line.send(CHUNK)
            except GONE:
                pass
            self._taken[f"{name} {path}"] = line.sent / 2**20
            outcome = (await answering).outcome
            return "hung up" if outcome == NO_ANSWER else outcome

    def faults(self, seen: Seen) -> list[str]:
        dear = {door: taken for door, taken in self._taken.items() if taken > self.MOST_MB}
        return super().faults(seen) + [f"{taken:.0f} MB of a body were taken at {door}" for door, taken in dear.items()]
