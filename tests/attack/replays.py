"""Asking for everything again, and again."""

import asyncio
import itertools
import json
import time
from typing import ClassVar

from tests.attack.attack import Attack, Seen, all_at_once
from tests.attack.target import API, Person, Target, packed
from tests.attack.wire import Socket, frame

POSTS = 240
SOCKETS = 20
SUBSCRIBES = 95
"""On each: below the frames that a socket may send in ten seconds."""
AUTHORS = 3


class Replays(Attack):
    """Twenty sockets of one reader, each of which subscribes 95 times from the oldest cursor that there is.

    One replay at a time is made for a reader, counted in their quota; a newer subscribe takes the place of one that
    waits. Others' tweets arrive as usual.
    """

    name = "replays"
    expected = frozenset({"open", "closed 4429", "closed 1013", "refused 429", "refused 503", "hung up"})
    delivery_ms = 500
    growth_mb = 96
    MOST_FRAMES: ClassVar[int] = 300 * POSTS
    """What a reader's quota of a minute would bring, if every request were such a replay."""

    async def prepare(self, target: Target) -> None:
        """A reader with a full home, and the cursor above its first tweet."""
        now = time.time_ns() % 10**9
        self._reader = await target.sign_up(f"replayer_{now}", self.source)
        authors = [await target.sign_up(f"replayed_{number}_{now}", self.source) for number in range(AUTHORS)]
        door = target.web(self.source)
        for author in authors:
            await door.ask("PUT", f"{API}/users/{author.username}/follow", headers=self._reader.bearer)
        self._after = await self._oldest(target, authors[0])
        turns = itertools.islice(itertools.cycle(authors), POSTS)
        texts = iter(enumerate(turns))

        async def post() -> None:
            for number, author in texts:
                await door.ask("POST", f"{API}/tweets", packed({"text": f"replayed {number}"}), author.bearer)

        await asyncio.gather(*(post() for _ in range(4)))

    async def _oldest(self, target: Target, author: Person) -> str:
        door = target.web(self.source)
        await door.ask("POST", f"{API}/tweets", packed({"text": "the first"}), author.bearer)
        for _ in range(100):
            answer = await target.reads_home(self._reader, self.source)
            cursor = json.loads(answer.body)["meta"]["prev_cursor"] if answer.status == 200 else None
            if cursor is not None:
                return str(cursor)
            await asyncio.sleep(0.1)
        raise AssertionError("the first tweet does not come")

    async def strike(self, target: Target, seconds: float) -> Seen:
        self._frames = 0
        return await all_at_once((self._asking(target, seconds) for _ in range(SOCKETS)), seconds + 3)

    async def _asking(self, target: Target, seconds: float) -> str:
        socket = await Socket.open(target.live(self.source), token=self._reader.token)
        async with socket.line:
            if socket.status != 101:
                return f"refused {socket.status}"
            await socket.next()  # ready
            subscribe = frame(packed({"type": "subscribe", "stream": "home", "after": self._after}))
            await socket.line.send(subscribe * SUBSCRIBES)
            how = await socket.end(seconds)
            self._frames += socket.frames
            return how

    def faults(self, seen: Seen) -> list[str]:
        dear = self._frames > self.MOST_FRAMES
        return super().faults(seen) + ([f"{self._frames:,} frames were replayed to one reader"] if dear else [])
