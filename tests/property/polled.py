"""The same worlds, in which everybody also polls their home upwards, by the pages' own cursors.

Whatever comes into a home after a poller's first page must be shown by a poll, however late it
becomes visible. Not what a change of people brings in or takes out: that is no new tweet.
"""

from collections.abc import Iterable, Set
from contextlib import suppress

from storage.errors import Unavailable
from storage.web.paging import Page, PageRequest, decode_since
from tests.property.machine import Timelines
from tests.property.oracle import Fact
from tests.property.reading import PAGES, name, names, reading
from tests.property.world import World
from tests.work import say_what_has_settled
from tweets.reading.hydration import TweetOut

EVERYTHING = PageRequest(limit=500)
LIMITS = (1, 2, 3, 20)
SWEPT_EVERY = 3
"""Steps: orders stay open over a few of them."""


class Poller:
    """One person's client: what it was shown, and the cursor that it goes on from."""

    def __init__(self, world: World, person: int) -> None:
        self._world = world
        self.person = person
        self.shown: set[int] = set()
        self.since_facts = len(world.unsteady)
        self._cursor: str | None = None
        self._take(EVERYTHING)

    def poll(self, limit: int) -> bool:
        """Goes on; whether there was anything."""
        if self._cursor is None:
            return self._take(EVERYTHING)
        after, unsettled = decode_since(self._cursor)
        return self._take(PageRequest(limit=limit, after=after, unsettled=unsettled))

    def come_to_an_end(self, limit: int) -> None:
        for _ in range(PAGES):
            if not self.poll(limit):
                return
        raise AssertionError(f"{name(self._world, self.person)} polls without end")

    def _take(self, request: PageRequest) -> bool:
        page = reading(self._world, self.person, request).run()
        assert isinstance(page, Page)
        items: list[TweetOut] = page.items
        self.shown |= {int(tweet.id) for tweet in items}
        self._cursor = page.newer_cursor
        return bool(items)


class PolledTimelines(Timelines):
    """Polls after each step, one person after the other."""

    steps = 0

    def after_each_step(self) -> None:
        super().after_each_step()
        if self.steps == 0:
            self.pollers = [Poller(self.world, each) for each in self.world.people]
        self.steps += 1
        if self.steps % SWEPT_EVERY == 0:
            self._sweep()
        poller = self.pollers[self.steps % len(self.pollers)]
        if poller.person in self._present():
            poller.poll(LIMITS[self.steps % len(LIMITS)])

    def end_well(self) -> None:
        super().end_well()
        for poller in self.pollers:
            if poller.person in self._present():
                poller.come_to_an_end(2)
                missed = never_shown(self.world, poller.person, poller.shown, poller.since_facts)
                assert not missed, f"{name(self.world, poller.person)} was never shown {names(self.world, missed)}"

    def _sweep(self) -> None:
        with suppress(Unavailable):
            say_what_has_settled()


def never_shown(world: World, person: int, shown: Set[int], since_facts: int) -> list[int]:
    """Entries of the home that are not among the `shown`, and that nothing but their posting has brought in.

    `since_facts` is how many of `world.unsteady` there were when the person began to look.
    """
    entries = world.oracle.entries
    excused = changed_people(world, person, world.unsteady[since_facts:])
    tweets = {entries[each].shown for each in shown}
    return [
        each.entry.id
        for each in world.oracle.home(person)
        if each.sure
        and each.entry.shown not in tweets
        and not excused & {each.entry.author, entries[each.entry.shown].author}
    ]


def changed_people(world: World, person: int, facts: Iterable[Fact]) -> set[int]:
    """Those of whom something else has changed by these facts than what they wrote, between them and this person."""
    people = {*world.people}
    return {each for fact in facts if fact.one in people for each in _others(fact, person)}


def _others(fact: Fact, person: int) -> set[int]:
    """Whose entries a change of the fact may bring in or take out for this person."""
    if not fact.other:
        return {fact.one}
    return {fact.one, fact.other} - {person} if person in (fact.one, fact.other) else set()
