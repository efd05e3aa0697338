"""What a walk asks (walking.py), what it is answered, and what it keeps on its way."""

from collections.abc import Callable, Collection, Generator, Hashable, Sequence
from typing import Generic, TypeVar, cast

import msgspec

from storage.ports.ranges import Range
from storage.web.paging import Page, PageRequest, Unsettled

T = TypeVar("T")
P = TypeVar("P")


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


class Between(msgspec.Struct, frozen=True):
    """A walk asks for places, as `Source.between` has them."""

    low: int
    high: int
    limit: int


class Look(msgspec.Struct, frozen=True):
    """A walk asks what may be shown of these places."""

    places: Sequence[int]


Question = Range | Between | Look
"""`Range` asks for places, as `Source.fetch` has them."""
Answer = list[int] | Shown[T]
"""Places, or to `Look` what they show."""
Walk = Generator[Question, Answer[T], Page[T]]
"""Asks until it knows its page. Raises `StillSearching` if it found nothing in time."""
Asking = Generator[Question, Answer[T], P]
"""A part of a walk, which ends in a P."""


def first_fetch(request: PageRequest) -> tuple[int | None, int | None, int]:
    """Returns with which `before`, `after` and `limit` a page begins, so that it can be read ahead."""
    if request.after is None:
        return request.before, None, request.limit + 1
    seen = request.unsettled
    if seen is None or seen.count is None:
        return None, request.after, request.limit
    return None, seen.settled, seen.count + request.limit


def places_of(question: Range | Between) -> Asking[T, list[int]]:
    """Asks for places."""
    return cast(list[int], (yield question))


def shown_at(places: Sequence[int]) -> Asking[T, Shown[T]]:
    """Asks what may be shown of them."""
    return cast(Shown[T], (yield Look(places)))


class Kept(Generic[T]):
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
        """Returns the items with their places, in the order in which they were added."""
        return list(self._found.values())

    def _key(self, place: int, item: T) -> Hashable:
        return place if self._same is None else self._same(item)


def page_of(
    found: Sequence[tuple[int, T]],
    *,
    older: int | None,
    newer: int | None,
    unsettled: Unsettled | None,
    cut_short: bool,
) -> Page[T]:
    """Returns the page of what was found, newest first, each with its place."""
    places, items = [place for place, _ in found], [item for _, item in found]
    return Page(items, older=older, newer=newer, unsettled=unsettled, cut_short=cut_short, places=places)
