"""The pull side of a home timeline: the nearest entries of many authors together, exactly.

A k-way merge that reads little: first a small share from every author, then more only from
those who may still have something nearer than what was found (the threshold algorithm of
Fagin, Lotem and Naor, JCSS 2003, for sorted lists). Both stores use it; they differ in how
they read a share.

**Of very many authors most have nothing near enough**, and a share of each would be ten times what
is wanted. So a sample is read first, and says about how far the entries will go; the others
are read down to there. The guess decides what it costs, never what comes out: whoever was not
read far enough to be sure is read on.
"""

import math
from collections.abc import Callable, Iterable, Sequence

Fetch = Callable[[Sequence[int], tuple[int, int], int], dict[int, list[int]]]
"""Of each author up to so many ids between the two, both inclusive, nearest first.

Authors who have none may be left out.
"""

SMALLEST_SHARE = 4
"""Ids an author in the first round: of many followees, few have more than that on a page."""
GROWTH = 4
"""Each further round reads this many times more from the few authors that are left."""
SAMPLE = 200
"""Authors in a sample: what it says of 800 entries is true to a tenth."""
SAMPLED_FROM = 2 * SAMPLE
"""So many authors are worth a round for the sample."""
DEVIATIONS = 4
"""How many standard deviations of its count the sample is believed short of."""


def nearest_of(authors: Sequence[int], *, low: int, high: int, limit: int, upwards: bool, fetch: Fetch) -> list[int]:
    """Returns the `limit` ids nearest to `high` going down, or to `low` going `upwards`; nearest first.

    Costs one round of `fetch` over all authors (two, when they are very many) and about
    log4(limit) rounds over a few.
    """
    authors = list(dict.fromkeys(authors))
    pull = _Pull(authors, low=low, high=high, limit=limit, upwards=upwards, fetch=fetch)
    share = min(limit, max(SMALLEST_SHARE, 2 * limit // max(1, len(authors))))
    sample = authors[:: len(authors) // SAMPLE] if len(authors) >= SAMPLED_FROM else authors
    pull.read(sample, share, to=pull.end)
    if len(sample) < len(authors):
        pull.read(pull.unread(), share, to=pull.guess(limit * len(sample) / len(authors)))
    while unsure := pull.unsure():
        share = min(limit, share * GROWTH)
        pull.read(unsure, share, to=pull.farthest())
    return pull.nearest


class _Pull:
    """The state of one pull: the nearest ids, and how far each author is known.

    `end` is the bound that is walked to, high or low. Ids are compared with `_is_before`: nearer than.
    """

    def __init__(self, authors: Sequence[int], *, low: int, high: int, limit: int, upwards: bool, fetch: Fetch) -> None:
        self._limit = limit
        self._upwards = upwards
        self._fetch = fetch
        self._start, self.end = (low, high) if upwards else (high, low)
        self._found: dict[int, list[int]] = {}
        self._known_to: dict[int, int | None] = dict.fromkeys(authors)
        """All ids up to this one are known; None before anything was read."""
        self.nearest: list[int] = []

    def read(self, authors: Iterable[int], share: int, *, to: int) -> None:
        """From the start again: an author's share holds all that is known of them, and something more."""
        asked = list(authors)
        between = (self._start, to) if self._upwards else (to, self._start)
        answered = self._fetch(asked, between, share)
        for author in asked:
            ids = answered.get(author, [])
            self._found[author] = ids
            self._known_to[author] = ids[-1] if len(ids) >= share else to
        every = (each for ids in self._found.values() for each in ids)
        self.nearest = sorted(every, reverse=not self._upwards)[: self._limit]

    def unread(self) -> list[int]:
        return [author for author, known_to in self._known_to.items() if known_to is None]

    def unsure(self) -> list[int]:
        """Returns who may have something nearer than the farthest that was found."""
        farthest = self.farthest()
        return [author for author, known_to in self._known_to.items() if self._is_before(known_to, farthest)]

    def farthest(self) -> int:
        """Returns the id beyond which nothing can be among the nearest."""
        return self.nearest[-1] if len(self.nearest) == self._limit else self.end

    def guess(self, expected: float) -> int:
        """Returns how far the nearest will go, when so many of them ought to be in what was read."""
        place = math.ceil(expected + DEVIATIONS * math.sqrt(expected))
        return self.nearest[place] if place < len(self.nearest) else self.end

    def _is_before(self, one: int | None, other: int) -> bool:
        return one is None or (one != other and (one < other) == self._upwards)
