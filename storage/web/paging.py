"""Pages of a collection that is ordered by id, newest first, and the cursors between them (walking.py makes pages).

A cursor is an id, signed and URL-safe: a place in time, not in a list. It therefore means
the same in every collection and at every door, for as long as the signing key (or a
fallback of it) is known, whatever became of the thing that it was taken from.

**Polling.** Ids become visible out of order (storage/ids/settling.py): who has been shown 12 and goes on
above 12 would never see 11, which was under way. So a cursor to go up from carries, besides its place, the
*settled* place below it, up to which nothing will come any more, and how many entries stood in between,
with a digest of them. Whoever goes on from it looks again at what stands there: if it is the same, the
answer begins above the place; if not, it begins at the settled place, and the client drops what it knows.
What is listed and could not be read yet does not count as standing there, so that it is looked for again.

For example, 10 and 12 are visible, 11 is under way, and everything up to 9 has settled:

1. A page shows 12 and 10. Its cursor: place 12, settled 9, two entries with the digest of (10, 12).
2. 11 becomes visible. The poll finds 10, 11, 12 above 9, which is not what the cursor says: it shows 12, 11, 10.
3. Meanwhile all of them have settled. The cursor is the place 12 alone, and the next poll reads above 12.

    place (8 bytes)                                                      of what has settled
    place (8) · settled (8) · entries in between (2) · their digest (6)   otherwise; all ones: too many to count
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

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

MOST_COUNTED = 400
"""Entries that are counted between settled and a cursor's place: 21 seconds of 20 a second. Each poll reads them
again, ids only; where more stand, a client goes up until a page is empty, and back to the settled place then."""
_UNCOUNTED = 0xFFFF

_BLOCK = 64
"""Bytes that SHA-256 takes at a time, to which HMAC fills its key up."""
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_PLACE = struct.Struct(">Q")
_UNSETTLED = struct.Struct(">QQH6s")


class Unsettled(msgspec.Struct, frozen=True):
    """What stood above the `settled` place, up to a cursor's: so many entries, of this digest; None if uncounted."""

    settled: int
    count: int | None
    digest: bytes = bytes(6)

    def is_of(self, places: Iterable[int]) -> bool:
        """Returns whether just these stood there."""
        return self.count is not None and counted(self.settled, places) == self


class PageRequest(msgspec.Struct, frozen=True):
    """A page that is asked for: `before` goes back in time; `after` asks for the `limit` nearest above it. Not both.

    `unsettled` came with `after` in its cursor.
    """

    limit: int = DEFAULT_LIMIT
    before: int | None = None
    after: int | None = None
    unsettled: Unsettled | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Items newest first. `older` and `newer` are the ids to page on from, None where nothing is known.

    `unsettled` belongs to `newer`. A page that was `cut_short` took too long to fill: there may be more
    beyond `older`, or beyond `newer` when it goes up. `places` are those of the items, to page on from any of them.
    """

    items: list[T]
    older: int | None
    newer: int | None
    unsettled: Unsettled | None = None
    cut_short: bool = False
    places: list[int] = []

    @property
    def older_cursor(self) -> str | None:
        """The cursor to go down from."""
        return encode_cursor(self.older) if self.older is not None else None

    @property
    def newer_cursor(self) -> str | None:
        """The cursor to go up from: nothing that becomes visible later is missed."""
        return encode_cursor(self.newer, self.unsettled) if self.newer is not None else None


Same = Callable[[T], Hashable]
"""Items for which this is equal are the same to a reader."""


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


def first_fetch(request: PageRequest) -> tuple[int | None, int | None, int]:
    """Returns with which `before`, `after` and `limit` a page begins, so that it can be read ahead."""
    if request.after is None:
        return request.before, None, request.limit + 1
    seen = request.unsettled
    if seen is None or seen.count is None:
        return None, request.after, request.limit
    return None, seen.settled, seen.count + request.limit


def empty_page(request: PageRequest) -> Page[T]:
    """Returns the page of a collection of which nothing is shown to this viewer."""
    return Page([], older=None, newer=request.after, unsettled=request.unsettled)


def counted(settled: int, places: Iterable[int]) -> Unsettled:
    """Returns what a cursor carries of `places`, which stand above `settled`."""
    standing = sorted(places)
    if len(standing) > MOST_COUNTED:
        return Unsettled(settled, None)
    packed = b"".join(_PLACE.pack(place) for place in standing)
    return Unsettled(settled, len(standing), hashlib.blake2b(packed, digest_size=6).digest())


def encode_cursor(place: int, unsettled: Unsettled | None = None) -> str:
    """Returns what `Signer` would sign, at half its cost."""
    packed = _url_safe(_packed(place, unsettled))
    return f"{packed}{_SEPARATOR}{_signature(packed)}"


def decode_cursor(cursor: str) -> int:
    """Returns the place, to go down from. Raises `BadRequest` unless this installation made the cursor."""
    place, _ = decode_since(cursor)
    return place


def decode_since(cursor: str) -> tuple[int, Unsettled | None]:
    """Returns the place to go up from, and what had not settled below it. Raises as `decode_cursor`."""
    try:
        if len(cursor) > CURSOR_MAX_CHARS:
            raise ValueError
        packed, _, signature = cursor.partition(_SEPARATOR)
        if not hmac.compare_digest(signature.encode(), _signature(packed).encode()):
            packed = _signer().unsign(cursor)  # by a fallback of the key, if it is one of ours
        place, unsettled = _unpacked(packed)
    except (BadSignature, ValueError, binascii.Error) as error:
        raise BadRequest("This cursor is not one of ours.", code="bad_cursor") from error
    return place, unsettled


def decode_settled(cursor: str) -> int:
    """Returns the place above which everything is to be shown anew, so that nothing is missed. Raises the same."""
    place, unsettled = decode_since(cursor)
    return unsettled.settled if unsettled is not None else place


def _packed(place: int, unsettled: Unsettled | None) -> bytes:
    if unsettled is None:
        return _PLACE.pack(place)
    count = _UNCOUNTED if unsettled.count is None else unsettled.count
    return _UNSETTLED.pack(place, unsettled.settled, count, unsettled.digest)


def _unpacked(packed: str) -> tuple[int, Unsettled | None]:
    """Raises `ValueError` for what `_packed` has not made."""
    raw = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
    if _url_safe(raw) != packed:
        raise ValueError
    if len(raw) == _PLACE.size:
        place, unsettled = _PLACE.unpack(raw)[0], None
    elif len(raw) == _UNSETTLED.size:
        place, settled, count, digest = _UNSETTLED.unpack(raw)
        unsettled = Unsettled(settled, None if count == _UNCOUNTED else min(count, MOST_COUNTED), digest)
    else:
        raise ValueError
    if place > MAX_ID or (unsettled is not None and unsettled.settled > place):
        raise ValueError
    return place, unsettled


def _url_safe(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL_SAFE, b"=").decode()


def _signer() -> Signer:
    return Signer(salt=_SALT, sep=_SEPARATOR)


def _signature(packed: str) -> str:
    """As `Signer` makes it: HMAC, begun once for all cursors with its two paddings of the key."""
    inner, outer = (begun.copy() for begun in _begun(settings.SECRET_KEY))
    inner.update(packed.encode())
    outer.update(inner.digest())
    return _url_safe(outer.digest())


@lru_cache
def _begun(secret: str) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """The key is what `Signer` derives anew for each signature."""
    key = hashlib.sha256(f"{_SALT}signer{secret}".encode()).digest().ljust(_BLOCK, b"\0")
    return hashlib.sha256(key.translate(hmac.trans_36)), hashlib.sha256(key.translate(hmac.trans_5C))
