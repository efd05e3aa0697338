"""What people do, told from the seed alone: an action names people by number and tweets by the action that wrote them.

The plan assumes that everything succeeds. When it does not, an action may be about nothing
(its tweet was never acknowledged), and is passed over.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.settings import Settings


class Kind(StrEnum):
    JOIN = "join"
    POST = "post"
    THREAD = "thread"
    """A reply to a tweet of one's own: in home."""
    REPLY = "reply"
    """A reply to another's: not in home."""
    QUOTE = "quote"
    RETWEET = "retweet"
    UNRETWEET = "unretweet"
    DELETE = "delete"
    LIKE = "like"
    UNLIKE = "unlike"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    BLOCK = "block"
    UNBLOCK = "unblock"
    MUTE = "mute"
    UNMUTE = "unmute"
    READ = "read"


WRITING = frozenset({Kind.POST, Kind.THREAD, Kind.REPLY, Kind.QUOTE})
ABOUT_A_TWEET = frozenset(
    {Kind.THREAD, Kind.REPLY, Kind.QUOTE, Kind.RETWEET, Kind.UNRETWEET, Kind.DELETE, Kind.LIKE, Kind.UNLIKE}
)
BETWEEN_TWO = frozenset({Kind.FOLLOW, Kind.UNFOLLOW, Kind.BLOCK, Kind.UNBLOCK})
"""What either of two people may change for both: done one after the other, so that the outcome is known."""
SHARES = {
    Kind.POST: 30, Kind.THREAD: 5, Kind.REPLY: 3, Kind.QUOTE: 3, Kind.RETWEET: 8, Kind.UNRETWEET: 3, Kind.DELETE: 5,
    Kind.LIKE: 5, Kind.UNLIKE: 1, Kind.FOLLOW: 7, Kind.UNFOLLOW: 5, Kind.BLOCK: 1, Kind.UNBLOCK: 1, Kind.MUTE: 1.5,
    Kind.UNMUTE: 1.5, Kind.READ: 20,
}  # fmt: skip
"""Of a hundred actions, about so many are of each kind."""
RECENT = 60
"""Tweets that are still talked about."""
FOLLOWEES = 6
"""Whom everyone follows to begin with."""


@dataclass(frozen=True, slots=True)
class Action:
    """`at` seconds after the start `person` does something to `target`: a person, or an action's tweet."""

    number: int
    at: float
    person: int
    kind: Kind
    target: int = -1


def reads(person: int) -> bool:
    """Every fifth never reads before the end: their timelines are pulled, not pushed to."""
    return person % 5 != 0


class Stream:
    """One run's actions: first `opening`, which is over before the clock starts, then `talk`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dice = random.Random(f"{settings.seed}:stream")
        self._number = 0
        self._present = list(range(settings.people * 2 // 3))
        self._late = list(range(len(self._present), settings.people))
        self._recent: list[Action] = []
        self._own: dict[int, list[int]] = {}
        self._stands: dict[tuple[Kind, int], list[int]] = {}

    def opening(self) -> list[Action]:
        """The first two thirds of the people join and follow one another."""
        joins = [self._action(0, person, Kind.JOIN) for person in self._present]
        follows = [
            self._change(0, person, Kind.FOLLOW, other)
            for person in self._present
            for other in self._dice.sample([each for each in self._present if each != person], self._some_followees())
        ]
        return joins + follows

    def talk(self) -> Iterator[Action]:
        """The rest, in the order of time."""
        count = self._settings.seconds * self._settings.rate
        joining = dict(zip(sorted(self._dice.sample(range(count), len(self._late))), self._late, strict=True))
        for place in range(count):
            at = place / self._settings.rate
            if place in joining:
                yield self._join(at, joining[place])
            else:
                yield self._act(at)

    def _some_followees(self) -> int:
        return min(FOLLOWEES, len(self._present) - 1)

    def _join(self, at: float, person: int) -> Action:
        self._present.append(person)
        return self._action(at, person, Kind.JOIN)

    def _act(self, at: float) -> Action:
        person = self._dice.choice(self._present)
        kind = self._dice.choices(list(SHARES), list(SHARES.values()))[0]
        if kind is Kind.READ:
            return self._action(at, person, kind) if reads(person) else self._write(at, person, Kind.POST)
        target = self._target(person, kind)
        if kind in WRITING:
            return self._write(at, person, kind if target is not None else Kind.POST, target)
        if target is None:
            return self._write(at, person, Kind.POST)
        return self._change(at, person, kind, target)

    def _target(self, person: int, kind: Kind) -> int | None:
        """A tweet or a person with whom that makes sense; None when there is none."""
        undone = {Kind.UNRETWEET: Kind.RETWEET, Kind.UNLIKE: Kind.LIKE, Kind.UNFOLLOW: Kind.FOLLOW,
                  Kind.UNBLOCK: Kind.BLOCK, Kind.UNMUTE: Kind.MUTE}  # fmt: skip
        if kind in undone:
            return self._one_of(self._stands.get((undone[kind], person), []))
        if kind in (Kind.FOLLOW, Kind.BLOCK, Kind.MUTE):
            return self._one_of([each for each in self._present if each != person])
        if kind in (Kind.THREAD, Kind.DELETE):
            return self._one_of(self._own.get(person, [])[-RECENT:])
        return self._one_of([each.number for each in self._recent if each.person != person])

    def _one_of(self, choices: list[int]) -> int | None:
        return self._dice.choice(choices) if choices else None

    def _write(self, at: float, person: int, kind: Kind, target: int | None = None) -> Action:
        action = self._action(at, person, kind, -1 if target is None else target)
        self._recent = [*self._recent[1 - RECENT :], action]
        self._own.setdefault(person, []).append(action.number)
        return action

    def _change(self, at: float, person: int, kind: Kind, target: int) -> Action:
        if kind is Kind.DELETE:
            self._own[person].remove(target)
            self._recent = [each for each in self._recent if each.number != target]
        elif kind.startswith("un"):
            self._stands[Kind(kind.removeprefix("un")), person].remove(target)
        else:
            self._stands.setdefault((kind, person), []).append(target)
        return self._action(at, person, kind, target)

    def _action(self, at: float, person: int, kind: Kind, target: int = -1) -> Action:
        self._number += 1
        return Action(self._number, at, person, kind, target)
