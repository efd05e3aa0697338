"""What a home timeline is, by the contract's definition alone: a function of the present state.

It shares nothing with the code under test: people, entries and facts in memory, and three-valued
logic. A fact is *unsure* (None) while a change of it is under way, since both answers are right
then; so is an entry for its author's followers while its deliver order is open. What is sure must
be exactly so.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

FOLLOWS, BLOCKS, MUTES, SUSPENDED, POSTED, DELETED = "follows", "blocks", "mutes", "suspended", "posted", "deleted"

Known = bool | None
"""True, False, or unsure."""


class Fact(NamedTuple):
    """A kind, whose it is, and of whom: `Fact(FOLLOWS, reader, author)`, `Fact(DELETED, entry)`."""

    kind: str
    one: int
    other: int = 0


class Entry(NamedTuple):
    """A tweet, a quote, a reply or, with an `original`, a retweet."""

    id: int
    author: int
    original: int | None
    in_home: bool

    @property
    def shown(self) -> int:
        """The tweet that a reader sees in it."""
        return self.id if self.original is None else self.original


class Seen(NamedTuple):
    """An entry of somebody's home timeline; without `sure` it may be missing as well."""

    entry: Entry
    sure: bool


class Page(NamedTuple):
    """The entries that a page shows, and whether there is more: None when both are right."""

    ids: list[int]
    more: Known


def all_of(parts: Iterable[Known]) -> Known:
    """Whether all hold: False when one surely does not, unsure when that depends."""
    found = set(parts)
    return False if False in found else None if None in found else True


def negated(part: Known) -> Known:
    return None if part is None else not part


class Oracle:
    """The state of the world, and every home timeline in it."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.delivered: set[int] = set()
        """Entries whose deliver order is done."""
        self._true: set[Fact] = set()
        self._unsure: Counter[Fact] = Counter()

    def set(self, fact: Fact, value: bool) -> None:
        (self._true.add if value else self._true.discard)(fact)

    def doubt(self, facts: Iterable[Fact]) -> None:
        """A change of these is under way; `trust` ends it."""
        self._unsure.update(list(facts))

    def trust(self, facts: Iterable[Fact]) -> None:
        self._unsure.subtract(list(facts))

    def holds(self, fact: Fact) -> bool:
        """What was written last, seen by everybody or not."""
        return fact in self._true

    def known(self, fact: Fact) -> Known:
        return None if self._unsure[fact] > 0 else fact in self._true

    def home(self, reader: int) -> list[Seen]:
        """The whole timeline, newest first."""
        found = [(self.entries[each], self._shows(reader, self.entries[each])) for each in sorted(self.entries)[::-1]]
        return [Seen(entry, sure=shown is True) for entry, shown in found if shown is not False]

    def sees(self, viewer: int, tweet_id: int) -> Known:
        """Whether the viewer may act on the tweet, and, of a retweet, on its original."""
        entry = self.entries[tweet_id]
        return all_of(self._stands_for(viewer, self.entries[each]) for each in {entry.id, entry.shown})

    def parted(self, one: int, other: int) -> Known:
        """Whether one of the two blocks the other."""
        return negated(all_of(negated(self.known(Fact(BLOCKS, *pair))) for pair in ((one, other), (other, one))))

    def is_there(self, entry_id: int) -> Known:
        return all_of([self.known(Fact(POSTED, entry_id)), negated(self.known(Fact(DELETED, entry_id)))])

    def retweets(self, person: int, original: int) -> list[int]:
        """The person's entries of the original that stand."""
        mine = [each for each in self.entries.values() if (each.author, each.original) == (person, original)]
        return [each.id for each in mine if not self.holds(Fact(DELETED, each.id))]

    def _stands_for(self, viewer: int, entry: Entry) -> Known:
        author = entry.author
        suspended = self.known(Fact(SUSPENDED, author))
        return all_of([self.is_there(entry.id), negated(suspended), negated(self.parted(viewer, author))])

    def _shows(self, reader: int, entry: Entry) -> Known:
        own = entry.author == reader
        here = True if own else all_of([self.known(Fact(FOLLOWS, reader, entry.author)), self._arrived(entry)])
        people = {entry.author, self.entries[entry.shown].author}
        muted = [self.known(Fact(MUTES, reader, each)) for each in people]
        return all_of([entry.in_home, here, self.sees(reader, entry.id), *map(negated, muted)])

    def _arrived(self, entry: Entry) -> Known:
        return True if entry.id in self.delivered else None


def page_below(home: Sequence[Seen], seen: Sequence[int], before: int | None, limit: int) -> Page:
    """The newest `limit` below `before`, the same tweet once: the newest of it and its retweets.

    Of what is unsure, what was `seen` is there.
    """
    ids: list[int] = []
    shown: set[int] = set()
    more: Known = False
    for each in home:
        if (before is not None and each.entry.id >= before) or each.entry.shown in shown:
            continue
        if len(ids) == limit:
            more = True if each.sure else more or None
        elif each.sure or each.entry.id in seen:
            ids.append(each.entry.id)
            shown.add(each.entry.shown)
    return Page(ids, more)


def page_above(home: Sequence[Seen], seen: Sequence[int], after: int, limit: int) -> Page:
    """The nearest `limit` tweets above `after`, newest first; the same tweet once, as its newest entry there."""
    place: dict[int, int] = {}
    for each in reversed(home):
        if each.entry.id > after and len(place) < limit and (each.sure or each.entry.id in seen):
            place[each.entry.shown] = each.entry.id
    return Page(sorted(place.values(), reverse=True), None)
