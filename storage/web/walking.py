"""Filling a page: walking a collection until so much was found that may be shown.

What may not be shown is made up for, so a page is empty only at a collection's end, and short only
there. Nothing bounds how much may be hidden on the way but time: after WALK_SECONDS a page goes out with
what was found, to be continued where it stopped; and if nothing was, that is said (`StillSearching`).

How a page that goes up begins, and what its cursor carries, is told in paging.py.

A walk is a generator of questions, so that one walk is answered by a collection (`full_page`), and the walks of many
owners side by side by reads that answer all of them at once (together.py).
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol, TypeVar, cast

from storage.errors import StillSearching
from storage.ids.settling import settled_place
from storage.ports.ranges import Range
from storage.web.asking import (
    Answer,
    Asking,
    Between,
    Look,
    Show,
    Shown,
    Walk,
)
from storage.web.paging import MOST_COUNTED, Kept, Page, PageRequest, Same, Unsettled, counted, page_of
from storage.web.upwards import Upwards

T = TypeVar("T")

WALK_SECONDS = 3.0
"""Some tens of thousands of hidden entries; who waits for a page still waits for it."""
GROWTH = 4
"""Each further round asks for so many times more: what is hidden comes in runs."""
SMALLEST_FETCH = 20
MAX_FETCH = 500
"""Places asked for in one round of a long walk: what Redis answers in a millisecond, and the store in some ten."""


class FetchPlaces(Protocol):
    """Returns places newest first below `before`, or the nearest above `after`; fewer than `limit` only at the end."""

    def __call__(self, *, before: int | None, after: int | None, limit: int) -> list[int]: ...


class Source(Protocol):
    """A collection's places, for one page."""

    def fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        """Returns what `FetchPlaces` promises. Raises `Unavailable`."""

    def settled(self) -> int:
        """Returns the place up to which nothing had still to come when `fetch` was first called; ask after it."""

    def between(self, low: int, high: int, *, limit: int) -> list[int]:
        """Returns the places above `low` and below `high`, newest first; if they are more, `limit` of them.

        Raises `Unavailable`.
        """


class Stored:
    """A `Source` that is read from the store, where whatever is written is visible at once."""

    def __init__(self, fetch: FetchPlaces) -> None:
        self._fetch = fetch
        self._settled = settled_place()

    def fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        return self._fetch(before=before, after=after, limit=limit)

    def settled(self) -> int:
        return self._settled

    def between(self, low: int, high: int, *, limit: int) -> list[int]:
        """Upwards: `low` is some seconds ago, and below it may be nothing for years."""
        return [place for place in self._fetch(before=None, after=low, limit=limit) if place < high]


def full_page(request: PageRequest, source: Source, show: Show[T], *, same: Same[T] | None = None) -> Page[T]:
    """Returns the page that was asked for, full while there is more: what may not be shown is made up for.

    Of items that are the `same`, a page holds the one with the highest place. One round of `fetch` and
    `show` unless much of it is hidden; and one `between` when all of a full page is so new that it has
    not settled. Raises `StillSearching` if WALK_SECONDS were too few to find anything.
    """
    walking = walk(request, source.settled, same=same)
    question = next(walking)
    while True:
        answer: Answer[T]
        if isinstance(question, Range):
            answer = source.fetch(before=question.before, after=question.after, limit=question.limit)
        elif isinstance(question, Look):
            answer = show(question.places)
        else:
            answer = source.between(question.low, question.high, limit=question.limit)
        try:
            question = walking.send(answer)
        except StopIteration as end:
            return cast("Page[T]", end.value)


def walk(request: PageRequest, settled: Callable[[], int], *, same: Same[T] | None = None) -> Walk[T]:
    """Returns the walk to a page; whoever answers its questions gets the page as `full_page` promises it.

    `settled` is that of a `Source`.
    """
    kept: Kept[T] = Kept(same)
    if request.after is None:
        page = yield from _page_below(request, settled, kept)
    else:
        page = yield from Upwards(request, settled, kept, _rounds(request.limit)).page()
    if page.cut_short and not page.items:
        raise StillSearching(page.newer if request.after is not None else None)
    return page


def _rounds(first: int) -> Iterator[int]:
    """Yields how many places to ask for, until the time is over."""
    ends = time.monotonic() + WALK_SECONDS
    asked = first
    yield asked
    while time.monotonic() < ends:
        asked = max(first, min(max(asked * GROWTH, SMALLEST_FETCH), MAX_FETCH))
        yield asked


def _page_below(request: PageRequest, settled: Callable[[], int], kept: Kept[T]) -> Walk[T]:
    """One item too many is looked for, so that `older` is None exactly at the end."""
    limit, examined = request.limit, request.before
    seen: list[int] = []
    unreadable: set[int] = set()
    ended = cut_short = False
    for asked in _rounds(limit + 1):
        places = cast("list[int]", (yield Range(examined, None, asked)))
        seen += places
        shown = cast("Shown[T]", (yield Look(places)))
        unreadable.update(shown.unreadable)
        for place, item in shown.entries:
            kept.pass_over_or_add(place, item)
        ended = len(places) < asked
        if len(kept) > limit or ended:
            break
        examined = places[-1]
    else:
        cut_short = True
    found = kept.in_order()[:limit]
    older = found[-1][0] if len(kept) > limit else examined if cut_short else None
    newer = found[0][0] if found else request.before
    unsettled = None
    if newer is not None:
        unsettled = yield from _unsettled_below(newer, settled(), seen, unreadable, ended=ended)
    return page_of(found, older=older, newer=newer, unsettled=unsettled, cut_short=cut_short)


def _unsettled_below(
    newer: int, settled: int, seen: Sequence[int], unreadable: Collection[int], *, ended: bool
) -> Asking[T, Unsettled | None]:
    """What has not settled up to `newer`. Of it `seen` is known, which goes on downwards unless it `ended`."""
    if newer <= settled:
        return None
    standing = [place for place in seen if settled < place <= newer]
    lowest = seen[-1] if seen else newer + 1
    if not ended and lowest > settled and len(standing) <= MOST_COUNTED:
        standing += cast("list[int]", (yield Between(settled, lowest, MOST_COUNTED + 1 - len(standing))))
    return counted(settled, [place for place in standing if place not in unreadable])
