"""The channels that this process hears only while one of its sockets wants them: the public feed's, and tweets'.

They ride on the process's one subscription (listener.py), however many sockets want one. A channel is asked for before
anything is read that its messages are about: so whatever changes after the reading is told. It is wanted from then on,
however long the reading waits for its turn, until whoever asked leaves; and one that nobody wants any more is dropped
some seconds later, since whoever looks at tweets comes back to them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence

HEARD_SECONDS = 2.0
"""How long a new stream waits for its channel; afterwards those of the topic resync when that stands."""
KEPT_SECONDS = 10.0
"""A channel is kept for so long after somebody asked for it, whoever wants it."""

Say = Callable[[str, Sequence[str]], Awaitable[None]]
"""Sends SUBSCRIBE or UNSUBSCRIBE with the channels; says nothing of a connection that is broken."""


class Channels:
    """It belongs to the event loop. While no subscription stands, what is asked for waits for the next one."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Begins with nothing, on the event loop of who calls."""
        self._say: Say | None = None
        self._asked: dict[str, float] = {}
        """When each was asked for last, by the monotonic clock."""
        self._wanting: Counter[str] = Counter()
        """How many want each."""
        self._standing: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._late: set[str] = set()
        """Channels that somebody has stopped waiting for."""

    @property
    def wanted(self) -> list[str]:
        """What a new subscription is to begin with."""
        return list(self._asked)

    async def begin(self, say: Say, names: Collection[str]) -> None:
        """A subscription has begun, with what was `wanted` then: asks it for what came to be wanted meanwhile.

        None of what it begins with is late: everybody resyncs. Nobody asks it before: while one of redis-py's connects,
        it bears one caller only.
        """
        self._say = say
        self._late.difference_update(names)
        came = [name for name in self._asked if name not in names]
        if came:
            await say("SUBSCRIBE", came)

    def end(self) -> None:
        """The subscription is broken."""
        self._say = None
        self._standing.clear()

    async def hear(self, name: str) -> None:
        """Wants the channel, until `leave`; returns once it is heard, or after HEARD_SECONDS."""
        self._wanting[name] += 1
        self._asked[name] = time.monotonic()
        if name in self._standing:
            return
        stands = self._waiting.setdefault(name, asyncio.Event())
        if self._say is not None:
            await self._say("SUBSCRIBE", [name])
        try:
            async with asyncio.timeout(HEARD_SECONDS):
                await stands.wait()
        except TimeoutError:
            self._late.add(name)

    def leave(self, name: str) -> None:
        """Undoes one `hear`."""
        self._wanting[name] -= 1
        if not self._wanting[name]:
            del self._wanting[name]

    def stands(self, name: str) -> bool:
        """The server has said that the channel is heard; answers whether somebody had given that up.

        One that was dropped before this answer came counts no more: the word that ends it is on its way.
        """
        if name in self._asked:
            self._standing.add(name)
        if name in self._waiting:
            self._waiting.pop(name).set()
        was_late = name in self._late
        self._late.discard(name)
        return was_late

    async def drop_unwanted(self) -> None:
        """Hears no more what nobody wants, and nobody has asked for lately."""
        ends = time.monotonic() - KEPT_SECONDS
        dropped = [name for name, asked_at in self._asked.items() if asked_at <= ends and name not in self._wanting]
        for name in dropped:
            del self._asked[name]
            self._standing.discard(name)
            self._late.discard(name)
            self._waiting.pop(name, None)
        if dropped and self._say is not None:
            await self._say("UNSUBSCRIBE", dropped)


channels = Channels()
