"""What an attack is: what it sends, for how long, and what has to hold meanwhile."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import ClassVar

from tests.attack.target import Target
from tests.attack.wire import GONE

Seen = Counter[str]
"""What was answered, and how often: a status, `closed 1009`, `open`, or words of the attack's own."""
Call = Callable[[], Awaitable[str]]
REFUSED = frozenset({"408", "413", "429", "503"})
"""The answers by which a product protects itself."""
NO_ANSWER = "no answer"


class Attack(ABC):
    """One kind of attack; its docstring says what is bounded, and the bound."""

    name: ClassVar[str]
    expected: ClassVar[frozenset[str]]
    """What may be answered; anything else is a fault."""
    growth_mb: ClassVar[float] = 64
    """By how much the product's processes may grow together, at the peak."""
    home_ms: ClassVar[float] = 1_000
    """What others' GET /feed/home may take (p99), or FACTOR times the quiet state if that is more."""
    delivery_ms: ClassVar[float] = 1_500
    """The same of a tweet's way to an ordinary socket, from the answer of its POST."""

    def __init__(self, number: int) -> None:
        self.source = f"127.0.{10 + number}.1"
        """Where it comes from: quotas by address are nobody else's."""

    async def prepare(self, target: Target) -> None:
        """Does what the attack needs, before anything is measured; nothing, unless it says otherwise."""
        return

    @abstractmethod
    async def strike(self, target: Target, seconds: float) -> Seen:
        """Goes on for about that long, and ends by itself. What the product answers is never an exception."""

    def faults(self, seen: Seen) -> list[str]:
        """What the answers break; times and memory are judged by the run."""
        strange = {outcome: count for outcome, count in seen.items() if outcome not in self.expected}
        return [f"answered {outcome} ({count} times)" for outcome, count in sorted(strange.items())]

    def sources(self, count: int) -> list[str]:
        """Other addresses of the same attacker."""
        return [f"{self.source.rpartition('.')[0]}.{number}" for number in range(2, 2 + count)]


async def flood(calls: Iterable[Call], *, seconds: float, at_once: int, at_least: int = 0) -> Seen:
    """Makes the calls, so many at once, until the time is over and `at_least` were made, or there are no more."""
    seen: Seen = Counter()
    ends = time.monotonic() + seconds
    left: Iterator[Call] = iter(calls)
    begun = 0

    async def caller() -> None:
        nonlocal begun
        for call in left:
            begun += 1
            seen[await call()] += 1
            if time.monotonic() > ends and begun >= at_least:
                return

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return seen


async def all_at_once(calls: Iterable[Awaitable[str]], seconds: float) -> Seen:
    """Awaits all of them; those that are not done in time are `unended`, and given up."""

    async def bounded(call: Awaitable[str]) -> str:
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            return "unended"
        except GONE:
            return "hung up"

    return Counter(await asyncio.gather(*map(bounded, calls)))


def tried(seen: Seen) -> int:
    """How many calls the product has worked on, in place of refusing them."""
    return sum(count for outcome, count in seen.items() if outcome not in REFUSED | {NO_ANSWER})
