"""Pages of what many authors wrote, in Cassandra: month by month, and within one as pull.py merges."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from storage.cassandra import session
from storage.ids.snowflakes import MAX_ID, id_month, make_id, now_us
from tweets.stores.pull import nearest_of

SELECT_MONTHS = "SELECT author, month FROM author_months WHERE author IN ?"
SELECT_NEWEST = (
    "SELECT author, id FROM home_entries_by_author"
    " WHERE author IN ? AND month = ? AND id >= ? AND id <= ? PER PARTITION LIMIT ?"
)
SELECT_OLDEST_OF_ONE = (
    "SELECT id FROM home_entries_by_author"
    " WHERE author = ? AND month = ? AND id >= ? AND id <= ? ORDER BY id ASC LIMIT ?"
)

AUTHORS_A_SELECT = 50
"""Partitions in one IN: 200 authors took 43 ms in groups of 50 and 109 ms one by one."""
AHEAD_US = 3_600_000_000
"""No clock is ahead by more than an hour."""


def home_entries(authors: Sequence[int], *, before: int | None, after: int | None, limit: int) -> list[int]:
    """Reads month by month, away from the bound: what is found in one month is nearer than all of the next.

    One round trip when the nearest month has enough, else one more for the list of months, and
    one for each month walked; plus those of the merge.
    """
    low = (after or 0) + 1
    high = MAX_ID if before is None else before - 1
    upwards = after is not None
    found: list[int] = []
    for month, writers in _months_of(authors, low, high, upwards):
        found += _nearest_in_month(writers, month, low, high, limit=limit - len(found), upwards=upwards)
        if len(found) >= limit:
            break
    return found[::-1] if upwards else found


def _months_of(authors: Sequence[int], low: int, high: int, upwards: bool) -> Iterator[tuple[int, Sequence[int]]]:
    """Months between the two ids, nearest first, with the authors who may have something in them.

    The nearest month that can hold anything comes unasked, with all authors: for most pages it is
    enough, and the list of months would cost as much again. It is that of now, or of the next
    hour, when a server whose clock is ahead may have written in the next month already.
    """
    if low > high:
        return
    latest = id_month(make_id(now_us() + AHEAD_US, 0))
    nearest = id_month(low) if upwards else min(id_month(high), latest)
    yield nearest, authors
    listed = _listed_months(authors, low, high)
    for month in sorted(listed.keys() - {nearest}, reverse=not upwards):
        yield month, listed[month]


def _listed_months(authors: Sequence[int], low: int, high: int) -> dict[int, list[int]]:
    """Which authors have something in which month between the two ids. One round trip."""
    groups = session.execute_many(SELECT_MONTHS, [(group,) for group in _groups(authors)])
    months: dict[int, list[int]] = {}
    for author, month in (row for rows in groups for row in rows):
        if id_month(low) <= month <= id_month(high):
            months.setdefault(month, []).append(author)
    return months


def _nearest_in_month(
    authors: Sequence[int], month: int, low: int, high: int, *, limit: int, upwards: bool
) -> list[int]:
    read = _read_one_by_one if upwards else _read_in_groups
    return nearest_of(authors, low=low, high=high, limit=limit, upwards=upwards, fetch=partial(read, month))


def _read_in_groups(month: int, authors: Sequence[int], between: tuple[int, int], share: int) -> dict[int, list[int]]:
    groups = _groups(authors)
    found = session.execute_many(SELECT_NEWEST, [(group, month, *between, share) for group in groups])
    return {
        author: [row[1] for row in rows] for each in found for author, rows in groupby(each, key=lambda row: row[0])
    }


def _read_one_by_one(month: int, authors: Sequence[int], between: tuple[int, int], share: int) -> dict[int, list[int]]:
    """Oldest first, in which order a statement answers one author only."""
    found = session.execute_many(SELECT_OLDEST_OF_ONE, [(author, month, *between, share) for author in authors])
    return {author: [row[0] for row in rows] for author, rows in zip(authors, found, strict=True)}


def _groups(authors: Sequence[int]) -> list[Sequence[int]]:
    return [authors[start : start + AUTHORS_A_SELECT] for start in range(0, len(authors), AUTHORS_A_SELECT)]
