"""The pull side of a home timeline: the nearest entries of many authors together, exactly.

A k-way merge that reads little: first a small share from every author, then more only from
those who may still have something nearer than what was found (the threshold algorithm of
Fagin, Lotem and Naor, JCSS 2003, for sorted lists). Both stores use it; they differ in how
they read a share.
"""

from collections.abc import Callable, Sequence

Bounds = dict[int, tuple[int, int]]
"""Author → (lowest, highest) id wanted, both inclusive."""
Fetch = Callable[[Bounds, int], dict[int, list[int]]]
"""Reads up to so many ids of each author, nearest first."""

SMALLEST_SHARE = 4
"""Ids an author in the first round: of many followees, few have more than that on a page."""
GROWTH = 4
"""Each further round reads this many times more from the few authors that are left."""


def nearest_of(authors: Sequence[int], *, low: int, high: int, limit: int, upwards: bool, fetch: Fetch) -> list[int]:
    """The `limit` ids nearest to `high` going down, or to `low` going `upwards`; nearest first.

    Costs one round of `fetch` over all authors and about log4(limit) rounds over a few.
    """
    bounds: Bounds = dict.fromkeys(authors, (low, high))
    share = min(limit, max(SMALLEST_SHARE, 2 * limit // max(1, len(bounds))))
    nearest: list[int] = []
    while bounds:
        found = fetch(bounds, share)
        nearest = sorted([*nearest, *(each for ids in found.values() for each in ids)], reverse=not upwards)[:limit]
        farthest = nearest[-1] if len(nearest) == limit else None
        bounds = {
            author: (ids[-1] + 1, high) if upwards else (low, ids[-1] - 1)
            for author, ids in found.items()
            if len(ids) == share and (farthest is None or ((ids[-1] < farthest) == upwards and ids[-1] != farthest))
        }
        share = min(limit, share * GROWTH)
    return nearest
