"""How things happen in a world: who is meant by a small number, and what is done to them.

A rule picks by small numbers among what is there, so that any sequence of steps means something,
also with some of them left out (interleaving.py).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from deploy.valkey import Valkey
from tests.property import acts
from tests.property.acts import WRITTEN
from tests.property.broker import Message
from tests.property.oracle import SUSPENDED, Fact
from tests.property.reading import audit_everybody
from tests.property.world import Action, World

PEOPLE = 4
STOPPED_AT_ONCE = 4

T = TypeVar("T")

PICKS = range(12)
YES_OR_NO = (False, True)


class Acting:
    """One world of a few people, and its oracle."""

    def __init__(self, server: Valkey, threads: ThreadPoolExecutor) -> None:
        self.world = World(server, threads, PEOPLE)
        self.oracle = self.world.oracle
        self.broker = self.world.broker
        self.until_redis_returns = 0

    def _act(self, action: Action) -> None:
        if len(self.world.stopped) >= STOPPED_AT_ONCE:
            action.place = None
        self.world.act(action)

    def _delete(self, entry: int, *, slow: bool = False) -> None:
        if not self.oracle.holds(Fact(SUSPENDED, self.oracle.entries[entry].author)):
            self._act(acts.delete(self.world, entry, place=written(slow)))

    def _suspend(self, person: int, *, slow: bool = False) -> None:
        others = [each for each in self._present() if each != person]
        if len(others) > 1:
            self._act(acts.suspend(self.world, others[0], person, place=written(slow)))

    def _become_inactive(self, person: int) -> None:
        if not self.world.redis_is_down:
            self.world.expire_timeline(person)

    def _work(self, message: Message, place: str | None = None) -> None:
        self._act(self._working(message, place))

    def _working(self, message: Message, place: str | None) -> Action:
        return Action(f"work {message[0].kind}", lambda: self.broker.work(message), place=place)

    def _present(self) -> list[int]:
        return [each for each in self.world.people if not self.oracle.holds(Fact(SUSPENDED, each))]

    def _actor(self, who: int) -> int:
        """Someone who is not suspended; for odd picks, someone of whom something is stopped."""
        people = self._present()
        focus = [each.person for each in self.world.stopped if each.person in people]
        return pick(who, focus) if focus and who % 2 else pick(who // 2, people)

    def _other(self, person: int, whom: int) -> int:
        return pick(whom, [each for each in self.world.people if each != person])

    def _entry(self, what: int) -> int:
        """For small picks one of the newest."""
        return pick(what, sorted(self.oracle.entries)[::-1])

    def _look_closely(self) -> None:
        """The audit takes what is under way for a difference, so it looks only when nothing is."""
        if not self.world.stopped and not self.world.redis_is_down and not self.world.must_recover:
            audit_everybody(self.world)


def pick(number: int, among: Sequence[T]) -> T:
    return among[number % len(among)]


def written(slow: bool) -> str | None:
    return WRITTEN if slow else None
