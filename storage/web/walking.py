"""Filling a page: walking a collection until so much was found that may be shown.

What may not be shown is made up for, so a page is empty only at a collection's end, and short only
there. Nothing bounds how much may be hidden on the way but time: after WALK_SECONDS a page goes out with
what was found, to be continued where it stopped; and if nothing was, that is said (`StillSearching`).

How a page that goes up begins, and what its cursor carries, is told in paging.py.
"""

import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from storage.errors import StillSearching
from storage.ids.settling import settled_place
from storage.web.paging import MOST_COUNTED, Page, PageRequest, Unsettled, counted

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
        """Returns the places above `low` and below `high`, newest first, `limit` at most. Raises `Unavailable`."""


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
        return [place for place in self._fetch(before=high, after=None, limit=limit) if place > low]


class Shown(msgspec.Struct, Generic[T], frozen=True):
    """What may be shown of the entries at some places, in their order, each with its place.

    `unreadable` are the places whose entries are not there yet: a listing's row may be visible before what it lists.
    They do not count as shown; what was deleted or is hidden does.
    """

    entries: list[tuple[int, T]]
    unreadable: Collection[int] = ()


Show = Callable[[Sequence[int]], Shown[T]]


Same = Callable[[T], Hashable]
"""Items for which this is equal are the same to a reader."""


def first_fetch(request: PageRequest) -> tuple[int | None, int | None, int]:
    """Returns with which `before`, `after` and `limit` a page begins, so that it can be read ahead."""
    if request.after is None:
        return request.before, None, request.limit + 1
    seen = request.unsettled
    if seen is None or seen.count is None:
        return None, request.after, request.limit
    return None, seen.settled, seen.count + request.limit


def full_page(request: PageRequest, source: Source, show: Show[T], *, same: Same[T] | None = None) -> Page[T]:
    """Returns the page that was asked for, full while there is more: what may not be shown is made up for.

    Of items that are the `same`, a page holds the one with the highest place. One round of `fetch` and
    `show` unless much of it is hidden; and one `between` when all of a full page is so new that it has
    not settled. Raises `StillSearching` if WALK_SECONDS were too few to find anything.
    """
    kept: _Kept[T] = _Kept(same)
    page = _page_below(request, source, show, kept) if request.after is None else _Up(request, source, kept).page(show)
    if page.cut_short and not page.items:
        raise StillSearching(page.newer if request.after is not None else None)
    return page


class _Kept(Generic[T]):
    """The items of a page so far, each place once and of items that are the same one."""

    def __init__(self, same: Same[T] | None) -> None:
        self._same = same
        self._found: dict[Hashable, tuple[int, T]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def pass_over_or_add(self, place: int, item: T) -> None:
        """Going down: the first one has the highest place."""
        self._found.setdefault(self._key(place, item), (place, item))

    def add_or_replace(self, place: int, item: T) -> None:
        """Going up: the last one has the highest place."""
        self._found.pop(self._key(place, item), None)
        self._found[self._key(place, item)] = (place, item)

    def in_order(self) -> list[tuple[int, T]]:
        return list(self._found.values())

    def _key(self, place: int, item: T) -> Hashable:
        return place if self._same is None else self._same(item)


def _rounds(first: int) -> Iterator[int]:
    """Yields how many places to ask for, until the time is over."""
    ends = time.monotonic() + WALK_SECONDS
    asked = first
    yield asked
    while time.monotonic() < ends:
        asked = max(first, min(max(asked * GROWTH, SMALLEST_FETCH), MAX_FETCH))
        yield asked


def _page_below(request: PageRequest, source: Source, show: Show[T], kept: _Kept[T]) -> Page[T]:
    """One item too many is looked for, so that `older` is None exactly at the end."""
    limit, examined = request.limit, request.before
    seen: list[int] = []
    unreadable: set[int] = set()
    ended = cut_short = False
    for asked in _rounds(limit + 1):
        places = source.fetch(before=examined, after=None, limit=asked)
        seen += places
        shown = show(places)
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
    unsettled = _unsettled_below(newer, source, seen, unreadable, ended=ended) if newer is not None else None
    return Page([item for _, item in found], older=older, newer=newer, unsettled=unsettled, cut_short=cut_short)


def _unsettled_below(
    newer: int, source: Source, seen: Sequence[int], unreadable: Collection[int], *, ended: bool
) -> Unsettled | None:
    """What has not settled up to `newer`. Of it `seen` is known, which goes on downwards unless it `ended`."""
    settled = source.settled()
    if newer <= settled:
        return None
    standing = [place for place in seen if settled < place <= newer]
    lowest = seen[-1] if seen else newer + 1
    if not ended and lowest > settled and len(standing) <= MOST_COUNTED:
        standing += source.between(settled, lowest, limit=MOST_COUNTED + 1 - len(standing))
    return counted(settled, [place for place in standing if place not in unreadable])


class _Up(Generic[T]):
    """A page that goes up. Ids are examined nearest first; `_seen` are all that were fetched, oldest first."""

    def __init__(self, request: PageRequest, source: Source, kept: _Kept[T]) -> None:
        assert request.after is not None  # noqa: S101 - who calls has looked
        self._limit, self._after, self._before = request.limit, request.after, request.unsettled
        self._source = source
        self._kept = kept
        _, self._low, self._asked = first_fetch(request)
        self._seen: list[int] = []
        self._unreadable: set[int] = set()
        self._ended = self._stands = False
        self._examined = request.after

    def page(self, show: Show[T]) -> Page[T]:
        """`newer` is the place up to which everything was examined."""
        waiting = self._begin()
        cut_short = True
        for asked in _rounds(self._limit):
            if not waiting and not self._ended:
                waiting = self._fetch(self._seen[-1] if self._seen else self._low, asked)
            self._examine(waiting[:asked], show)
            waiting = waiting[asked:]
            if len(self._kept) == self._limit or (self._ended and not waiting):
                cut_short = False
                break
        nearest = self._kept.in_order()[::-1]
        newer, unsettled = self._cursor(at_end=self._ended and not waiting and not nearest)
        older = nearest[-1][0] if nearest else None
        return Page([each for _, each in nearest], older=older, newer=newer, unsettled=unsettled, cut_short=cut_short)

    def _begin(self) -> list[int]:
        """Returns what was fetched first and is to be examined: if what was shown still stands, what is above it."""
        places = self._fetch(self._low, self._asked)
        if self._low == self._after:
            return places
        shown = [place for place in places if place <= self._after]
        self._stands = self._before is not None and self._before.is_of(shown)
        if self._stands:
            return places[len(shown) :]
        self._examined = self._low or 0
        return places

    def _fetch(self, after: int | None, asked: int) -> list[int]:
        """Returns the next places, oldest first."""
        places = self._source.fetch(before=None, after=after, limit=asked)[::-1]
        self._seen += places
        self._ended = len(places) < asked
        return places

    def _examine(self, places: Sequence[int], show: Show[T]) -> None:
        if not places:
            return
        shown = show(places[::-1])
        self._unreadable.update(shown.unreadable)
        for place, item in reversed(shown.entries):
            if len(self._kept) == self._limit:
                return
            self._kept.add_or_replace(place, item)
            self._examined = place
        if len(self._kept) < self._limit:
            self._examined = places[-1]

    def _cursor(self, *, at_end: bool) -> tuple[int, Unsettled | None]:
        """Returns `newer` and what has not settled below it: the same as before, if nothing has changed.

        What was too much to be counted is gone through anew behind an empty page, so that "until one is empty" ends.
        """
        if self._before is not None and self._before.count is None:
            return (self._before.settled, None) if at_end else (self._examined, self._before)
        settled = self._source.settled()
        low = self._after if self._before is None else self._before.settled
        if self._before is not None:
            settled = max(settled, low)
        if self._examined <= settled:
            return self._examined, None
        if self._stands and self._examined == self._after:
            return self._examined, self._before
        examined = [place for place in self._seen if settled < place <= self._examined]
        standing = [place for place in examined if place not in self._unreadable]
        if low > settled:
            standing += self._source.between(settled, low + 1, limit=MOST_COUNTED + 1)
        return self._examined, counted(settled, standing)
