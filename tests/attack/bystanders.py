"""Ordinary people beside the attack: READERS read home, authors post, and sockets get what they post.

A process of its own, so that what it measures is the product and not the attacker: `python -m
tests.attack.bystanders HOST WEB_PORT LIVE_PORT FRONTED`. Requests begin when they are due, however late others are,
each on a connection of its own. It writes a line of JSON when one begins and one when it is over, with the time on
the machine's monotonic clock; `Bystanders` reads them.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import CannotStart
from deploy.plan import ROOT
from deploy.supervisor.processes import Child, start, stop, wait_until
from tests.attack.target import API, Person, Target, packed
from tests.attack.wire import GONE, Socket, frame

SOURCE, SOCKETS_SOURCE = "127.0.8.1", "127.0.8.2"
READERS, AUTHORS, LISTENERS = 5, 2, 2
READ_EVERY = 0.05
"""Four a second each, of the five that a person may."""
POST_EVERY = 0.25
UNANSWERED_SECONDS = 8.0
READY_SECONDS = 60.0
SETTLE_SECONDS = 20.0
CALM_MS = 500.0


@dataclass(frozen=True, slots=True)
class Felt:
    """What ordinary people felt in a span: milliseconds; what was never answered counts with all that it waited."""

    home: list[float] = field(default_factory=list)
    delivery: list[float] = field(default_factory=list)
    unanswered: int = 0
    undelivered: int = 0


class Bystanders:
    """The process, and what it has told so far."""

    def __init__(self, target: Target, log: Path) -> None:
        self._log = log
        where = [target.host, str(target.web_port), str(target.live_port), str(int(target.fronted))]
        argv = [sys.executable, "-m", "tests.attack.bystanders", *where]
        self._child: Child = start("bystanders", argv, cwd=ROOT, log=log)

    def ready(self) -> None:
        """Returns when everybody is there. Raises `CannotStart`."""
        come = wait_until(lambda: self._child.ended() or "ready" in self._text(), seconds=READY_SECONDS)
        if self._child.ended() or not come:
            raise CannotStart(f"The bystanders are not there:\n{self._text()[-2_000:]}")

    def settle(self, until: float, calm_ms: float) -> bool:
        """Waits until all that began before that moment is over, and a read and a delivery after it were so quick."""

        def calm() -> bool:
            lines = self._lines()
            begun = [line for line in lines.values() if line["at"] <= until]
            after = [line for line in lines.values() if line["at"] > until and line.get("ok")]
            quick = {line["kind"] for line in after if line["ms"] < calm_ms}
            return self._child.ended() or (all("ms" in line for line in begun) and quick == {"home", "delivery"})

        return wait_until(calm, seconds=SETTLE_SECONDS) and not self._child.ended()

    def felt(self, begin: float, end: float) -> Felt:
        """What began in that span of the monotonic clock."""
        felt = Felt()
        lines = [line for line in self._lines().values() if begin <= line["at"] <= end]
        for kind, times in (("home", felt.home), ("delivery", felt.delivery)):
            times.extend(line.get("ms", 1000 * UNANSWERED_SECONDS) for line in lines if line["kind"] == kind)
        failed = [line["kind"] for line in lines if not line.get("ok", False)]
        return Felt(felt.home, felt.delivery, failed.count("home"), failed.count("delivery"))

    def stop(self) -> None:
        stop([self._child], grace_seconds=1.0)

    def _text(self) -> str:
        return self._log.read_text(errors="replace")

    def _lines(self) -> dict[int, dict[str, Any]]:
        """By number, what began and, if it is over, how it went."""
        lines: dict[int, dict[str, Any]] = {}
        for text in self._text().splitlines():
            with suppress(ValueError):  # the last one may be half written
                line = json.loads(text)
                if "id" in line:
                    lines.setdefault(line["id"], {}).update(line)
        return {number: line for number, line in lines.items() if "at" in line}


class Crowd:
    """The people themselves."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._numbers = itertools.count(1)
        self._coming: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """Signs everybody up, says so, and never ends."""
        names = [f"bystander_{number}_{time.time_ns() % 10**9}" for number in range(READERS + AUTHORS + LISTENERS)]
        people = [await self._target.sign_up(name, SOURCE) for name in names]
        readers, authors, listeners = people[:READERS], people[READERS : READERS + AUTHORS], people[-LISTENERS:]
        for follower in [*readers, *listeners]:
            for author in authors:
                path = f"{API}/users/{author.username}/follow"
                await self._target.web(SOURCE).ask("PUT", path, headers=follower.bearer)
        async with asyncio.TaskGroup() as group:
            for listener in listeners:
                group.create_task(self._listen(listener))
            group.create_task(self._every(READ_EVERY, readers, self._read))
            group.create_task(self._every(POST_EVERY, authors, self._post))
            print(json.dumps("ready"), flush=True)

    async def _every(self, pause: float, people: list[Person], act: Any) -> None:
        due = time.monotonic()
        for person in itertools.cycle(people):
            task = asyncio.create_task(act(person))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            due += pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _read(self, person: Person) -> None:
        async def answered() -> bool:
            return (await self._target.reads_home(person, SOURCE, UNANSWERED_SECONDS)).status == 200

        await self._timed("home", answered())

    async def _post(self, person: Person) -> None:
        """Posts, and times the way from the answer to the first socket that has the tweet."""
        text = f"tweet {next(self._numbers)}"
        self._coming[text] = arrived = asyncio.get_running_loop().create_future()
        body = packed({"text": text})
        answer = await self._target.web(SOURCE).ask("POST", f"{API}/tweets", body, person.bearer, UNANSWERED_SECONDS)

        async def delivered() -> bool:
            with suppress(TimeoutError):
                await asyncio.wait_for(arrived, UNANSWERED_SECONDS)
            return arrived.done() and not arrived.cancelled()

        if answer.status == 201:
            await self._timed("delivery", delivered())
        self._coming.pop(text, None)

    async def _timed(self, kind: str, happens: Awaitable[bool]) -> None:
        number, begin = next(self._numbers), time.monotonic()
        print(json.dumps({"id": number, "kind": kind, "at": begin}), flush=True)
        well = await happens
        print(json.dumps({"id": number, "ms": 1000 * (time.monotonic() - begin), "ok": well}), flush=True)

    async def _listen(self, person: Person) -> None:
        """A socket that is opened again when it ends."""
        while True:
            with suppress(*GONE):
                socket = await Socket.open(self._target.live(SOCKETS_SOURCE), token=person.token)
                async with socket.line:
                    await self._hear(socket)
            await asyncio.sleep(0.2)

    async def _hear(self, socket: Socket) -> None:
        await socket.line.send(frame(packed({"type": "subscribe", "stream": "home"})))
        while True:
            _, payload = await socket.next()
            with suppress(ValueError):
                said = json.loads(payload)
                arrived = self._coming.get(said["tweet"]["text"]) if said.get("type") == "tweet" else None
                if arrived is not None and not arrived.done():
                    arrived.set_result(None)


if __name__ == "__main__":
    host, web_port, live_port, fronted = sys.argv[1:]
    asyncio.run(Crowd(Target(host, int(web_port), int(live_port), fronted == "1")).live())
