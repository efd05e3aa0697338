"""What a walk asks (walking.py), and what it is answered."""

from collections.abc import Callable, Collection, Generator, Sequence
from typing import Generic, TypeVar

import msgspec

from storage.ports.ranges import Range
from storage.web.paging import Page

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
