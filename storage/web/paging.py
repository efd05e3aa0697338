"""Pages of a collection that is ordered by id, newest first, and the cursors between them.

A cursor is an id, signed and URL-safe: a place in time, not in a list. It therefore means
the same in every collection and at every door, for as long as the signing key (or a
fallback of it) is known, whatever became of the thing that it was taken from.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import msgspec
from django.conf import settings
from django.core.signing import BadSignature, Signer

from storage.errors import BadRequest
from storage.ids.snowflakes import MAX_ID

T = TypeVar("T")

_SALT = "storage.paging.cursor"
"""Never another one, wherever this file stands: every cursor that a client keeps would be refused."""
_SEPARATOR = "."

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
CURSOR_MAX_CHARS = 200
MAX_ROUNDS = 12
"""Bounds the walk past hidden entries; a page cut short by it still continues where it stopped."""
MAX_FETCH = 200
"""Places asked for in one round of a long walk."""


class PageRequest(msgspec.Struct, frozen=True):
    """A page that is asked for: `before` goes back in time; `after` asks for the `limit` nearest above it. Not both."""

    limit: int = DEFAULT_LIMIT
    before: int | None = None
    after: int | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Items newest first. `older` and `newer` are the ids to page on from, None where nothing is known."""

    items: list[T]
    older: int | None
    newer: int | None


class FetchPlaces(Protocol):
    """Returns places newest first below `before`, or the nearest above `after`; fewer than `limit` only at the end."""

    def __call__(self, *, before: int | None, after: int | None, limit: int) -> list[int]: ...


Show = Callable[[Sequence[int]], list[tuple[int, T]]]
"""What may be shown of the entries at these places, in their order, each with its place."""


Same = Callable[[T], Hashable]
"""Items for which this is equal are the same to a reader."""


def full_page(request: PageRequest, fetch: FetchPlaces, show: Show[T], *, same: Same[T] | None = None) -> Page[T]:
    """Returns the page that was asked for, full while there is more: what may not be shown is made up for.

    Of items that are the `same`, a page holds the one with the highest place. One round of
    `fetch` and `show` unless much of it is hidden.
    """
    kept: _Kept[T] = _Kept(same)
    if request.after is not None:
        return _page_above(request.after, request.limit, fetch, show, kept)
    return _page_below(request.before, request.limit, fetch, show, kept)


def encode_cursor(place: int) -> str:
    """Returns what `Signer` would sign, at half its cost."""
    packed = _url_safe(place.to_bytes(8, "big"))
    signature = hmac.digest(_signing_key(settings.SECRET_KEY), packed.encode(), "sha256")
    return f"{packed}{_SEPARATOR}{_url_safe(signature)}"


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


def _url_safe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _page_below(before: int | None, limit: int, fetch: FetchPlaces, show: Show[T], kept: _Kept[T]) -> Page[T]:
    """One item too many is looked for, so that `older` is None exactly at the end."""
    examined = before
    for asked in _growing(limit + 1):
        places = fetch(before=examined, after=None, limit=asked)
        for place, item in show(places):
            kept.pass_over_or_add(place, item)
        if len(kept) > limit or len(places) < asked:
            shown = kept.in_order()[:limit]
            return _page(shown, older=shown[-1][0] if len(kept) > limit else None, newer=before)
        examined = places[-1]
    return _page(kept.in_order(), older=examined, newer=before)


def _page_above(after: int, limit: int, fetch: FetchPlaces, show: Show[T], kept: _Kept[T]) -> Page[T]:
    """`newer` is the place up to which everything was examined."""
    examined = after
    for asked in _growing(limit):
        places = fetch(before=None, after=examined, limit=asked)
        for place, item in reversed(show(places)):
            if len(kept) == limit:
                break
            kept.add_or_replace(place, item)
            examined = place
        if len(kept) == limit:
            break
        examined = places[0] if places else examined
        if len(places) < asked:
            break
    nearest = kept.in_order()[::-1]
    older = nearest[-1][0] if nearest else None
    return Page([item for _, item in nearest], older=older, newer=examined)


def _page(shown: list[tuple[int, T]], *, older: int | None, newer: int | None) -> Page[T]:
    return Page([item for _, item in shown], older=older, newer=shown[0][0] if shown else newer)


def _growing(first: int) -> list[int]:
    """Returns how many places to ask for in each round."""
    return [first, *(min(first * 2**doubling, MAX_FETCH) for doubling in range(1, MAX_ROUNDS))]


def _signer() -> Signer:
    return Signer(salt=_SALT, sep=_SEPARATOR)


@lru_cache
def _signing_key(secret: str) -> bytes:
    """The key that `Signer` derives anew for each signature."""
    return hashlib.sha256(f"{_SALT}signer{secret}".encode()).digest()
