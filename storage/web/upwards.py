"""A walk that goes up: what is nearest above a cursor, and has become visible since the cursor was made."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, cast

from storage.ports.ranges import Range
from storage.web.asking import Asking, Between, Look, Shown, Walk
from storage.web.paging import MOST_COUNTED, Kept, PageRequest, Unsettled, counted, first_fetch, page_of

T = TypeVar("T")


class Upwards(Generic[T]):
    """A page that goes up. Ids are examined nearest first; `_seen` are all that were fetched, oldest first."""

    def __init__(self, request: PageRequest, settled: Callable[[], int], kept: Kept[T], rounds: Iterator[int]) -> None:
        assert request.after is not None  # noqa: S101 - who calls has looked
        self._limit, self._after, self._before = request.limit, request.after, request.unsettled
        self._settled = settled
        self._kept = kept
        self._rounds = rounds
        _, self._low, self._asked = first_fetch(request)
        self._seen: list[int] = []
        self._unreadable: set[int] = set()
        self._ended = self._stands = False
        self._examined = request.after

    def page(self) -> Walk[T]:
        """`newer` is the place up to which everything was examined."""
        waiting = yield from self._begin()
        cut_short = True
        for asked in self._rounds:
            if not waiting and not self._ended:
                waiting = yield from self._fetch(self._seen[-1] if self._seen else self._low, asked)
            yield from self._examine(waiting[:asked])
            waiting = waiting[asked:]
            if len(self._kept) == self._limit or (self._ended and not waiting):
                cut_short = False
                break
        nearest = self._kept.in_order()[::-1]
        newer, unsettled = yield from self._cursor(at_end=self._ended and not waiting and not nearest)
        older = nearest[-1][0] if nearest else None
        return page_of(nearest, older=older, newer=newer, unsettled=unsettled, cut_short=cut_short)

    def _begin(self) -> Asking[T, list[int]]:
        """Returns what was fetched first and is to be examined: if what was shown still stands, what is above it."""
        places = yield from self._fetch(self._low, self._asked)
        if self._low == self._after:
            return places
        shown = [place for place in places if place <= self._after]
        self._stands = self._before is not None and self._before.is_of(shown)
        if self._stands:
            return places[len(shown) :]
        self._examined = self._low or 0
        return places

    def _fetch(self, after: int | None, asked: int) -> Asking[T, list[int]]:
        """Returns the next places, oldest first."""
        places = (cast(list[int], (yield Range(None, after, asked))))[::-1]
        self._seen += places
        self._ended = len(places) < asked
        return places

    def _examine(self, places: Sequence[int]) -> Asking[T, None]:
        if not places:
            return
        shown = cast(Shown[T], (yield Look(places[::-1])))
        self._unreadable.update(shown.unreadable)
        for place, item in reversed(shown.entries):
            if len(self._kept) == self._limit:
                return
            self._kept.add_or_replace(place, item)
            self._examined = place
        if len(self._kept) < self._limit:
            self._examined = places[-1]

    def _cursor(self, *, at_end: bool) -> Asking[T, tuple[int, Unsettled | None]]:
        """Returns `newer` and what has not settled below it: the same as before, if nothing has changed.

        What was too much to be counted is gone through anew behind an empty page, so that "until one is empty" ends.
        """
        if self._before is not None and self._before.count is None:
            return (self._before.settled, None) if at_end else (self._examined, self._before)
        settled = self._settled()
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
            standing += cast(list[int], (yield Between(settled, low + 1, MOST_COUNTED + 1)))
        return self._examined, counted(settled, standing)
