"""Pages of a collection that is ordered by id, newest first, and the cursors between them.

A cursor is an id, signed and URL-safe: a place in time, not in a list. It therefore means
the same in every collection and at every door, for as long as the signing key (or a
fallback of it) is known, whatever became of the thing that it was taken from.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec
from django.core.signing import BadSignature, Signer

from storage.errors import BadRequest
from storage.ids import MAX_ID

T = TypeVar("T")

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
CURSOR_MAX_CHARS = 200
MAX_ROUNDS = 12
"""Bounds the walk past hidden entries; a page cut short by it still continues where it stopped."""
MAX_FETCH = 200
"""Places asked for in one round of a long walk."""


class PageRequest(msgspec.Struct, frozen=True):
    """`before` goes back in time; `after` asks for the `limit` nearest above it. Not both."""

    limit: int = DEFAULT_LIMIT
    before: int | None = None
    after: int | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Items newest first. `older` and `newer` are the ids to page on from, None where nothing is known."""

    items: list[T]
    older: int | None
    newer: int | None


class FetchPlaces(Protocol):
    """Places newest first below `before`, or the nearest above `after`; fewer than `limit` only at the end."""

    def __call__(self, *, before: int | None, after: int | None, limit: int) -> list[int]: ...


Show = Callable[[Sequence[int]], list[tuple[int, T]]]
"""What may be shown of the entries at these places, in their order, each with its place."""


def full_page(request: PageRequest, fetch: FetchPlaces, show: Show[T]) -> Page[T]:
    """The page that was asked for, full while there is more: what may not be shown is made up for.

    One round of `fetch` and `show` unless much of it is hidden.
    """
    if request.after is not None:
        return _page_above(request.after, request.limit, fetch, show)
    return _page_below(request.before, request.limit, fetch, show)


def encode_cursor(place: int) -> str:
    packed = base64.urlsafe_b64encode(place.to_bytes(8, "big")).rstrip(b"=").decode()
    return _signer().sign(packed)


def decode_cursor(cursor: str) -> int:
    """Raises `BadRequest` unless this installation made the cursor."""
    try:
        if len(cursor) > CURSOR_MAX_CHARS:
            raise ValueError
        packed = _signer().unsign(cursor)
        place = int.from_bytes(base64.b64decode(packed + "=", altchars=b"-_", validate=True), "big")
    except (BadSignature, ValueError, binascii.Error) as error:
        raise BadRequest("This cursor is not one of ours.", code="bad_cursor") from error
    if place > MAX_ID:
        raise BadRequest("This cursor is not one of ours.", code="bad_cursor")
    return place


def _page_below(before: int | None, limit: int, fetch: FetchPlaces, show: Show[T]) -> Page[T]:
    """One item too many is looked for, so that `older` is None exactly at the end."""
    shown: list[tuple[int, T]] = []
    examined = before
    for asked in _growing(limit + 1):
        places = fetch(before=examined, after=None, limit=asked)
        shown += show(places)
        if len(shown) > limit or len(places) < asked:
            older = shown[limit - 1][0] if len(shown) > limit else None
            return _page(shown[:limit], older=older, newer=before)
        examined = places[-1]
    return _page(shown, older=examined, newer=before)


def _page_above(after: int, limit: int, fetch: FetchPlaces, show: Show[T]) -> Page[T]:
    shown: list[tuple[int, T]] = []
    examined = after
    for asked in _growing(limit):
        places = fetch(before=None, after=examined, limit=asked)
        shown = show(places) + shown
        examined = places[0] if places else examined
        if len(shown) >= limit or len(places) < asked:
            break
    nearest = shown[-limit:]
    newer = nearest[0][0] if len(shown) > limit else examined
    return Page([item for _, item in nearest], older=nearest[-1][0] if nearest else None, newer=newer)


def _page(shown: list[tuple[int, T]], *, older: int | None, newer: int | None) -> Page[T]:
    return Page([item for _, item in shown], older=older, newer=shown[0][0] if shown else newer)


def _growing(first: int) -> list[int]:
    """How many places to ask for in each round."""
    return [first, *(min(first * 2**doubling, MAX_FETCH) for doubling in range(1, MAX_ROUNDS))]


def _signer() -> Signer:
    return Signer(salt="storage.paging.cursor", sep=".")
