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
    MENTION = "mention"
    """A tweet that names somebody."""
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
    PROTECT = "protect"
    UNPROTECT = "unprotect"
    ACCEPT = "accept"
    """Of somebody who asks to follow one; and so is refusing."""
    REFUSE = "refuse"
    LEAVE = "leave"
    READ = "read"


WRITING = frozenset({Kind.POST, Kind.THREAD, Kind.REPLY, Kind.QUOTE, Kind.MENTION})
ABOUT_A_TWEET = frozenset(
    {Kind.THREAD, Kind.REPLY, Kind.QUOTE, Kind.RETWEET, Kind.UNRETWEET, Kind.DELETE, Kind.LIKE, Kind.UNLIKE}
)
ANSWERS = frozenset({Kind.ACCEPT, Kind.REFUSE})
BETWEEN_TWO = frozenset({Kind.FOLLOW, Kind.UNFOLLOW, Kind.BLOCK, Kind.UNBLOCK}) | ANSWERS
"""What either of two people may change for both: done one after the other, so that the outcome is known."""
SHARES = {
    Kind.POST: 24, Kind.THREAD: 5, Kind.REPLY: 4, Kind.QUOTE: 3, Kind.MENTION: 3, Kind.RETWEET: 8, Kind.UNRETWEET: 3,
    Kind.DELETE: 5, Kind.LIKE: 6, Kind.UNLIKE: 2, Kind.FOLLOW: 7, Kind.UNFOLLOW: 4, Kind.BLOCK: 1, Kind.UNBLOCK: 1,
    Kind.MUTE: 1.5, Kind.UNMUTE: 1.5, Kind.PROTECT: 1, Kind.UNPROTECT: 0.7, Kind.ACCEPT: 2.5, Kind.REFUSE: 0.8,
    Kind.READ: 16,
}  # fmt: skip
"""Of a hundred actions, about so many are of each kind."""
RECENT = 60
"""Tweets that are still talked about."""
FOLLOWEES = 6
"""Whom everyone follows to begin with."""
LISTENERS = 6
PROTECTED_AT_FIRST, PROTECTED_AT_MOST = 6, 3
"""One in so many is protected before anybody follows; one in so many at a time later on."""
LEAVERS = 15
"""One in so many leaves, somewhere in the second half."""


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


def listening(people: int) -> list[int]:
    """Returns whose homes are listened to, of the people who are there from the beginning. They never leave."""
    return list(filter(reads, range(people * 2 // 3)))[:LISTENERS]


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
        self._protected: set[int] = set()
        self._asking: dict[int, list[int]] = {}
        """Who asks each to follow them."""

    def opening(self) -> list[Action]:
        """The first two thirds of the people join, some are protected, and they follow one another or ask to."""
        joins = [self._action(0, person, Kind.JOIN) for person in self._present]
        closed = self._present[2::PROTECTED_AT_FIRST]
        self._protected.update(closed)
        joins += [self._action(0, person, Kind.PROTECT) for person in closed]
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
        leaving = self._who_leave(range(count // 2, count))
        for place in range(count):
            at = place / self._settings.rate
            if place in joining:
                yield self._join(at, joining[place])
            elif place in leaving:
                yield self._leave(at, leaving[place])
            else:
                yield self._act(at)

    def _some_followees(self) -> int:
        return min(FOLLOWEES, len(self._present) - 1)

    def _who_leave(self, places: range) -> dict[int, int]:
        """Some who were there from the beginning, by when they leave."""
        stay = set(listening(self._settings.people))
        free = [each for each in self._present if each not in stay]
        leavers = self._dice.sample(free, min(len(free) - 1, max(1, self._settings.people // LEAVERS)))
        return dict(zip(self._dice.sample(places, len(leavers)), leavers, strict=True))

    def _leave(self, at: float, person: int) -> Action:
        """Others go on about what they wrote, and are refused."""
        self._present.remove(person)
        self._protected.discard(person)
        return self._action(at, person, Kind.LEAVE)

    def _join(self, at: float, person: int) -> Action:
        self._present.append(person)
        return self._action(at, person, Kind.JOIN)

    def _act(self, at: float) -> Action:
        person = self._dice.choice(self._present)
        kind = self._dice.choices(list(SHARES), list(SHARES.values()))[0]
        if kind is Kind.READ:
            return self._action(at, person, kind) if reads(person) else self._write(at, person, Kind.POST)
        if kind in ANSWERS:
            return self._answer(at, kind) or self._write(at, person, Kind.POST)
        if kind in (Kind.PROTECT, Kind.UNPROTECT):
            return self._close_or_open(at, person, kind) or self._write(at, person, Kind.POST)
        target = self._target(person, kind)
        if kind in WRITING:
            return self._write(at, person, kind if target is not None else Kind.POST, target)
        if target is None:
            return self._write(at, person, Kind.POST)
        return self._change(at, person, kind, target)

    def _answer(self, at: float, kind: Kind) -> Action | None:
        asked = self._one_of([each for each in self._present if self._asking.get(each)])
        if asked is None:
            return None
        asker = self._dice.choice(self._asking[asked])
        self._asking[asked].remove(asker)
        return self._action(at, asked, kind, asker)

    def _close_or_open(self, at: float, person: int, kind: Kind) -> Action | None:
        if kind is Kind.UNPROTECT:
            protected = self._one_of(sorted(self._protected))
            self._protected.discard(-1 if protected is None else protected)
            return None if protected is None else self._action(at, protected, kind)
        if person in self._protected or PROTECTED_AT_MOST * len(self._protected) >= len(self._present):
            return None
        self._protected.add(person)
        return self._action(at, person, kind)

    def _target(self, person: int, kind: Kind) -> int | None:
        """A tweet or a person with whom that makes sense; None when there is none."""
        undone = {Kind.UNRETWEET: Kind.RETWEET, Kind.UNLIKE: Kind.LIKE, Kind.UNFOLLOW: Kind.FOLLOW,
                  Kind.UNBLOCK: Kind.BLOCK, Kind.UNMUTE: Kind.MUTE}  # fmt: skip
        if kind in undone:
            return self._one_of(self._stands.get((undone[kind], person), []))
        if kind in (Kind.FOLLOW, Kind.BLOCK, Kind.MUTE, Kind.MENTION):
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
        if kind is Kind.FOLLOW and target in self._protected:
            self._asking.setdefault(target, []).append(person)
        return self._action(at, person, kind, target)

    def _action(self, at: float, person: int, kind: Kind, target: int = -1) -> Action:
        self._number += 1
        return Action(self._number, at, person, kind, target)
