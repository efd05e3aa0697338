"""What the stack has acknowledged, and from when on each piece of it is certain.

A *fact* (this tweet is there, this person follows that one) is changed by one action at a time.
While an action is under way its facts are pending: nobody may rely on them. When it was
acknowledged they are certain; when it got no answer until the end they are uncertain, and what
the store says is taken for the truth.

**In force.** A change holds for every read that begins after its answer; if the timeline Redis
could not be reached at that moment, from ALLOWED_SECONDS after its return on.
"""

import threading
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.stream import ANSWERS, BETWEEN_TWO, WRITING, Action, Kind

ALLOWED_SECONDS = 10.0
"""As docs/guarantees.md promises. Changes made so shortly after the return are given it, too: a process may have
found Redis down a moment before, and not have looked again."""
LONG_AGO = float("-inf")

REQUEST = "request"
"""The kind of the fact that one asks to follow the other."""
TELLING = frozenset({Kind.FOLLOW, Kind.LIKE, Kind.RETWEET}) | WRITING
"""Of these somebody is notified, when they have made something so that was not."""

Key = tuple[str, int, int]
"""(POST, author, number): the tweet is there; (RETWEET | LIKE, person, number); (FOLLOW | REQUEST | BLOCK | MUTE, one,
other); (PROTECT | LEAVE, person, -1)."""


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


@dataclass(slots=True)
class Fact:
    value: bool = False
    pending: bool = False
    uncertain: bool = False
    begun: float = LONG_AGO
    """When the first request of the last change was sent, and when it was answered."""
    ended: float = LONG_AGO
    touched: bool = False
    """Somebody has ever begun to change it."""
    told: bool = False
    """It certainly was by this that it became so, and whom it concerns was to be notified."""


@dataclass(slots=True)
class Tweet:
    number: int
    author: int
    kind: Kind
    target: int = -1
    """The action whose tweet it answers or quotes, or the person whom it mentions."""
    id: int | None = None

    @property
    def in_home(self) -> bool:
        return self.kind is not Kind.REPLY


@dataclass(slots=True)
class Outage:
    """The timeline Redis cannot be reached; `end` is None as long as that is so."""

    start: float
    end: float | None = None
    allowed: float = ALLOWED_SECONDS

    @property
    def over(self) -> float:
        """From when on what was changed meanwhile has to be in force."""
        return float("inf") if self.end is None else self.end + self.allowed


@dataclass
class Record:
    """All of it, behind one lock."""

    facts: dict[Key, Fact] = field(default_factory=dict)
    tweets: dict[int, Tweet] = field(default_factory=dict)
    by_author: dict[int, list[Tweet]] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)
    uncertain: int = 0
    slack: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def timelines_are_down(self, at: float) -> Outage:
        """Begins an outage, of one server of several as well; `timelines_are_back` ends it."""
        with self.lock:
            outage = Outage(at, allowed=ALLOWED_SECONDS + self.slack)
            self.outages.append(outage)
            return outage

    def timelines_are_back(self, outage: Outage, at: float) -> None:
        with self.lock:
            outage.end = at

    def begin(self, action: Action) -> None:
        with self.lock:
            if action.kind in WRITING:
                self._add(Tweet(action.number, action.person, action.kind, action.target))
            for key, _ in changes(action):
                fact = self.fact(key)
                fact.pending = fact.touched = True

    def end(
        self,
        action: Action,
        outcome: Outcome,
        *,
        begun: float,
        ended: float,
        tweet_id: int | None = None,
        requested: bool = False,
    ) -> None:
        """What came of the action, whose first request was sent at `begun`; `requested`, of a follow, that it asks."""
        with self.lock:
            if tweet_id is not None:
                self.tweets[action.number].id = tweet_id
            self.uncertain += outcome is Outcome.UNCERTAIN
            for key, value in changes(action, requested=requested if outcome is Outcome.ACKNOWLEDGED else None):
                fact = self.fact(key)
                fact.pending = False
                if outcome is Outcome.ACKNOWLEDGED and not (value and fact.value and not fact.uncertain):
                    fact.told = value and action.kind in TELLING and not fact.uncertain
                if outcome is Outcome.ACKNOWLEDGED:
                    if fact.value is value and not fact.uncertain:
                        begun = min(begun, fact.begun)  # it was so before, and nothing was made
                    fact.value, fact.uncertain, fact.begun, fact.ended = value, False, begun, ended
                elif outcome is Outcome.UNCERTAIN:
                    fact.uncertain = fact.uncertain or fact.value is not value

    def fact(self, key: Key) -> Fact:
        return self.facts.setdefault(key, Fact())

    def holds(self, key: Key) -> bool:
        """As far as is known; only in the end, when nothing is pending, is that all there is to know."""
        found = self.facts.get(key)
        return found is not None and found.value

    def surely(self, key: Key, *, since: float, is_: bool) -> bool:
        """Whether it certainly was so, and in force, all the time from `since` until now."""
        fact = self.facts.get(key)
        if fact is None:
            return not is_
        settled = not fact.pending and not fact.uncertain and fact.ended <= since
        return settled and fact.value is is_ and self._in_force(fact, since)

    def hides(self, one: int, other: int, *, since: float) -> bool:
        """Whether a block either way, or a mute by the first, certainly hides the other from one's home."""
        return any(self.surely(key, since=since, is_=True) for key in hiding(one, other))

    def shows(self, one: int, other: int, *, since: float) -> bool:
        """Whether certainly nothing hides the other from one's home."""
        return all(self.surely(key, since=since, is_=False) for key in hiding(one, other))

    def visible(self, person: int, number: int, *, since: float) -> bool:
        """Whether the tweet was there, and the person could see it, all the time since then."""
        author = self.tweets[number].author
        hidden = [(Kind.BLOCK, person, author), (Kind.BLOCK, author, person), (Kind.LEAVE, author, -1)]
        there = self.surely((Kind.POST, author, number), since=since, is_=True)
        follows = self.surely((Kind.FOLLOW, person, author), since=since, is_=True)
        seen = person == author or follows or self.shared(number, since=since)
        return there and seen and all(self.surely(key, since=since, is_=False) for key in hidden)

    def shared(self, number: int, *, since: float) -> bool:
        """Whether everybody else could certainly retweet and quote it, were it there: its author was not protected."""
        return self.surely((Kind.PROTECT, self.tweets[number].author, -1), since=since, is_=False)

    def left(self, person: int) -> bool:
        """Whether the person has left or may have."""
        fact = self.facts.get((Kind.LEAVE, person, -1))
        return fact is not None and fact.touched

    # As far as is known; all there is to know in the end, when nothing is pending.

    def gone(self, person: int) -> bool:
        return self.holds((Kind.LEAVE, person, -1))

    def protected(self, person: int) -> bool:
        return self.holds((Kind.PROTECT, person, -1))

    def parted(self, one: int, other: int) -> bool:
        return self.holds((Kind.BLOCK, one, other)) or self.holds((Kind.BLOCK, other, one))

    def open_to(self, viewer: int | None, author: int) -> bool:
        """Whether what the author does is not kept from the viewer by its being protected; None is nobody."""
        if viewer == author or not self.protected(author):
            return True
        return viewer is not None and self.holds((Kind.FOLLOW, viewer, author))

    def sees(self, viewer: int | None, author: int) -> bool:
        """Whether the viewer is shown what the author wrote where that is looked up."""
        parted = viewer is not None and self.parted(viewer, author)
        return not self.gone(author) and not parted and self.open_to(viewer, author)

    def stands(self, number: int) -> bool:
        """Whether the tweet is there for those who may see it."""
        author = self.tweets[number].author
        return self.holds((Kind.POST, author, number)) and not self.gone(author)

    def _add(self, tweet: Tweet) -> None:
        self.tweets[tweet.number] = tweet
        self.by_author.setdefault(tweet.author, []).append(tweet)

    def _in_force(self, fact: Fact, at: float) -> bool:
        return all(
            at >= outage.over for outage in self.outages if outage.start <= fact.ended and fact.begun <= outage.over
        )


def hiding(one: int, other: int) -> list[Key]:
    return [(Kind.BLOCK, one, other), (Kind.BLOCK, other, one), (Kind.MUTE, one, other)]


def changes(action: Action, *, requested: bool | None = None) -> list[tuple[Key, bool]]:
    """What is so once the action was acknowledged; of a follow of which it is not known yet whether it asks, both."""
    person, target, kind = action.person, action.target, action.kind
    if kind in BETWEEN_TWO:
        return _between(kind, person, target, requested=requested)
    if kind in (Kind.JOIN, Kind.READ):
        return []
    if kind in WRITING:
        return [((Kind.POST, person, action.number), True)]
    if kind is Kind.DELETE:
        return [((Kind.POST, person, target), False)]
    return [_made_or_undone(kind, person, target)]


def _between(kind: Kind, one: int, other: int, *, requested: bool | None) -> list[tuple[Key, bool]]:
    if kind is Kind.FOLLOW:
        return [((kind, one, other), requested is not True), ((REQUEST, one, other), requested is not False)]
    if kind is Kind.UNFOLLOW:
        return [((Kind.FOLLOW, one, other), False), ((REQUEST, one, other), False)]
    if kind in ANSWERS:
        follows = [((Kind.FOLLOW, other, one), True)] if kind is Kind.ACCEPT else []
        return [((REQUEST, other, one), False), *follows]
    pairs = [(one, other), (other, one)] if kind is Kind.BLOCK else []
    parted = [((edge, *each), False) for edge in (Kind.FOLLOW, REQUEST) for each in pairs]
    return [_made_or_undone(kind, one, other), *parted]


def _made_or_undone(kind: Kind, person: int, target: int) -> tuple[Key, bool]:
    made = Kind(kind.removeprefix("un"))
    return (made, person, target), kind is made


def pair(action: Action) -> frozenset[int]:
    """The two between whom it changes something that either may change; empty for other actions."""
    return frozenset({action.person, action.target}) if action.kind in BETWEEN_TWO else frozenset()
