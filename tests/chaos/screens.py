"""What a client of the live feed was shown and has on its screen, and what the oracle says it must and may."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.oracle import Entry, Item, expected_home
from tests.chaos.record import Record
from tests.chaos.stream import Kind

OF_ONE = frozenset({Kind.PROTECT, Kind.LEAVE})
ABOUT_PEOPLE = frozenset({Kind.FOLLOW, Kind.BLOCK, Kind.MUTE})


@dataclass
class Screen:
    """Of one person's client, which began to listen at `began`."""

    person: int
    began: float
    items: dict[int, Item] = field(default_factory=dict)
    """Everything that it was ever shown, by entry."""
    on_it: set[int] = field(default_factory=set)
    """Entries that it has not been told the end of since."""

    def show(self, items: Iterable[Item]) -> None:
        for item in items:
            self.items[item.id] = item
            self.on_it.add(item.id)

    def differences(self, record: Record, entries: Iterable[Entry], people: dict[str, int]) -> list[str]:
        """What the home has and it was never shown, and what it still has though the home has not.

        But for people between whom and this one something has changed since it began, and who have become protected,
        opened up or left: what that brings into a home, or takes out of it, is not told to whoever is away just then.
        `entries` are all there are, `people` are by their names.
        """
        changed = self._changed_people(record)
        home = [each for each in expected_home(record, self.person, entries) if not changed & _people_of(each)]
        numbers = {item.number for item in self.items.values()}
        lines = [f"was never shown entry {each.id}" for each in home if each.tweet.number not in numbers]
        for each in sorted(self.on_it - {each.id for each in home}):
            item = self.items[each]
            tweet = record.tweets.get(item.number)
            authors = {people[item.author], tweet.author if tweet is not None else -1}
            if not changed & authors:
                lines.append(f"was never told the end of entry {each} of tweet {item.number}")
        return [f"client of person {self.person} {line}" for line in lines]

    def _changed_people(self, record: Record) -> set[int]:
        changed = [key for key, fact in record.facts.items() if fact.uncertain or fact.ended >= self.began]
        between = {
            each
            for kind, one, other in changed
            if kind in ABOUT_PEOPLE and self.person in (one, other)
            for each in {one, other} - {self.person}
        }
        return between | {one for kind, one, _ in changed if kind in OF_ONE and one != self.person}


def _people_of(entry: Entry) -> set[int]:
    return {entry.author, entry.tweet.author}
