"""People protect what they write and open up again, are asked, accept and refuse, in whatever order things happen.

Every home is right, and so is every list of who asks. Interleavings of their own, as in test_restoring.py.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from unittest.mock import patch

import pytest

from accounts.graph import follows, requests
from accounts.graph.exclusions import Visibility
from accounts.graph.listings import follow_requests_page
from accounts.people import services
from accounts.people.services import ProfileChange, update_profile
from deploy.valkey import Valkey
from storage.web.paging import PageRequest
from tests.property import acts
from tests.property.acting import PEOPLE, PICKS, YES_OR_NO, written
from tests.property.conftest import NewWorld
from tests.property.interleaving import Step, run_steps
from tests.property.machine import Timelines
from tests.property.oracle import FOLLOWS, SUSPENDED, Entry, Fact, Known, all_of, negated
from tests.property.planted import Bug
from tests.property.reading import name
from tests.property.single_rules import READS_STOP_AT, WORK_STOPS_AT
from tests.property.test_timelines import SEED, examples, run
from tests.property.world import Action

PROTECTED, REQUESTS = "protected", "requests"
CHANGES = ("ask", "ask", "ask", "unfollow", "block", "unblock", "accept", "accept", "accept", "refuse")
STEPS = 30
DRAWN: dict[str, tuple[int, dict[str, Sequence[object]]]] = {
    "post": (2, {"who": PICKS, "times": (1, 2)}),
    "share": (5, {"way": ("retweet", "quote"), "who": PICKS, "what": PICKS}),
    "protect": (5, {"who": PICKS, "on": (True, True, False), "slow": YES_OR_NO}),
    "relate": (9, {"change": CHANGES, "who": PICKS, "whom": PICKS, "slow": YES_OR_NO}),
    "suspend": (1, {"who": PICKS, "slow": YES_OR_NO}),
    "restore": (1, {"who": PICKS, "slow": YES_OR_NO}),
    "work_all": (3, {}),
    "work_slowly": (2, {"which": PICKS, "place": WORK_STOPS_AT}),
    "go_on": (5, {"which": PICKS}),
    "read_slowly": (3, {"who": PICKS, "place": READS_STOP_AT, "cold": YES_OR_NO}),
    "everybody_reads": (4, {}),
    "everybody_looks_who_asks": (3, {}),
    "become_inactive": (1, {"who": PICKS}),
    "caches_end": (1, {"kind": ("tweet", "exclusions", "account")}),
    "redis_is_flushed": (1, {}),
    "redis_goes": (1, {"steps": range(1, 4)}),
    "recover": (1, {}),
}
"""Rules of the machine, how often each is drawn, and from what its arguments."""


def any_of(*parts: Known) -> Known:
    return negated(all_of(map(negated, parts)))


class Protecting(Timelines):
    """A world in which people may be protected."""

    def __init__(self, server: Valkey, threads: ThreadPoolExecutor) -> None:
        super().__init__(server, threads)
        self._stands = self.oracle._stands_for
        self.oracle._stands_for = self._stands_and_is_open  # type: ignore[method-assign]

    def protect(self, who: int, on: bool, slow: bool) -> None:
        person = self._actor(who)
        self._act(
            Action(
                "protect" if on else "open up",
                lambda: update_profile(person, ProfileChange(protected=on)),
                facts=[(Fact(PROTECTED, person), on)],
                person=person,
                place=written(slow),
            )
        )

    def relate(self, change: str, who: int, whom: int, slow: bool) -> None:
        """By whoever acts, towards somebody: who answers, answers that person's request."""
        person = self._actor(who)
        other = self._other(person, whom)
        make: dict[str, Callable[[int, int], Action]] = {
            "ask": self._asking,
            "accept": self._accepting,
            "refuse": self._refusing,
            "unfollow": lambda one, two: acts.unfollow(self.world, one, two),
            "block": lambda one, two: acts.block(self.world, one, two),
            "unblock": lambda one, two: acts.unblock(self.world, one, two),
        }
        action = make[change](person, other)
        if change in ("unfollow", "block"):
            action.changes[Fact(REQUESTS, person, other)] = False
        if change == "block":
            action.changes[Fact(REQUESTS, other, person)] = False
        action.place = written(slow)
        self._act(action)

    def share(self, way: str, who: int, what: int) -> None:
        """Of who is protected nobody else may."""
        if not self.oracle.entries:
            return
        person, entry = self._actor(who), self.oracle.entries[self._entry(what)]
        if way == "retweet":
            action = acts.retweet(self.world, person, entry.id)
        else:
            action = acts.post(self.world, person, quote_of=entry.id)
        author = self.oracle.entries[entry.shown].author
        own = author == person
        action.allowed = all_of([action.allowed, own or negated(self.oracle.known(Fact(PROTECTED, author)))])
        self._act(action)

    def everybody_looks_who_asks(self) -> None:
        for person in self._present():
            viewer = self.world.viewer(person)
            listed = [int(each.id) for each in follow_requests_page(viewer, PageRequest(limit=20)).items]
            for other in self.world.people:
                hidden = any_of(self.oracle.known(Fact(SUSPENDED, other)), self.oracle.parted(person, other))
                asks = all_of([self.oracle.known(Fact(REQUESTS, other, person)), negated(hidden)])
                told = f"{name(self.world, other)} asks {name(self.world, person)}"
                assert asks in (None, other in listed), f"{told}: {asks}, and listed it is not so"

    def end_well(self) -> None:
        super().end_well()
        self.everybody_looks_who_asks()

    def _asking(self, person: int, other: int) -> Action:
        """What is protected in SQL decides, and whoever follows already does."""
        follow = Fact(FOLLOWS, person, other)
        action = acts.follow(self.world, person, other)
        asks = self.oracle.holds(Fact(PROTECTED, other)) and not self.oracle.holds(follow)
        request = Fact(REQUESTS, person, other)
        action.changes = {request: True} if asks else {follow: True, request: False}
        if self.oracle.holds(follow):
            action.changes = {follow: True}
        return action

    def _accepting(self, person: int, other: int) -> Action:
        """Who follows already, and does not ask, is accepted again."""
        request, follow = Fact(REQUESTS, other, person), Fact(FOLLOWS, other, person)
        allowed = [
            self.oracle.known(request),
            negated(self.oracle.known(Fact(SUSPENDED, other))),
            negated(self.oracle.parted(person, other)),
        ]
        return Action(
            "accept",
            lambda: requests.accept(person, other),
            facts=[(follow, True), (request, False)],
            allowed=any_of(all_of([self.oracle.known(follow), negated(self.oracle.known(request))]), all_of(allowed)),
            person=person,
        )

    def _refusing(self, person: int, other: int) -> Action:
        request = Fact(REQUESTS, other, person)
        return Action(
            "refuse",
            lambda: requests.refuse(person, other),
            facts=[(request, False)],
            allowed=self.oracle.known(request),
            person=person,
        )

    def _stands_and_is_open(self, viewer: int, entry: Entry) -> Known:
        author = entry.author
        seen = any_of(
            author == viewer,
            negated(self.oracle.known(Fact(PROTECTED, author))),
            self.oracle.known(Fact(FOLLOWS, viewer, author)),
        )
        return all_of([self._stands(viewer, entry), seen])


@pytest.fixture
def new_protecting_world(new_world: NewWorld, timeline_redis: Valkey) -> Iterator[NewWorld]:
    with ThreadPoolExecutor(8) as threads:
        yield lambda: Protecting(timeline_redis, threads)


def steps_of(seed: int) -> list[Step]:
    """Most follow one another and have written twice; then what is drawn."""
    dice = Random(seed)
    pairs = [(one, two) for one in range(PEOPLE) for two in range(PEOPLE) if one != two]
    active = {each for each in range(PEOPLE) if dice.random() < 0.7}
    meeting = Step("people_meet", {"strangers": set(dice.sample(pairs, 5)), "active": active, "tweets": 2})
    names = dice.choices(list(DRAWN), [weight for weight, _ in DRAWN.values()], k=STEPS)
    return [meeting, *(Step(name, {each: dice.choice(of) for each, of in DRAWN[name][1].items()}) for name in names)]


@pytest.mark.timeout(0)
def test_every_home_is_right_whoever_is_protected_and_asked(store: str, new_protecting_world: NewWorld) -> None:
    for seed in range(SEED, SEED + examples(store)):
        run(seed, new_protecting_world, steps_of)


BUGS: dict[str, Bug] = {
    "home asks of nobody whether they may be seen": lambda: patch.object(
        Visibility, "_closed_among", lambda page, protected, *, listed: [] if page._home else protected
    ),
    "nobody is told who is protected": lambda: patch.object(services, "announce", lambda person, fields: None),
    "who is accepted keeps their home": lambda: patch.object(follows, "_raise", lambda *_: None),
}
FOUND_WITHIN = 60


@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
def test_a_planted_bug_is_found(bug: str, new_protecting_world: NewWorld) -> None:
    with BUGS[bug]():
        for seed in range(1, FOUND_WITHIN + 1):
            try:
                run_steps(steps_of(seed), new_protecting_world)
            except AssertionError:
                return
    pytest.fail(f"not found in {FOUND_WITHIN} interleavings")
