"""Pages of a collection that is ordered by id, newest first, and the cursors between them.

A cursor is an id, signed and URL-safe: a place in time, not in a list. It therefore means
the same in every collection and at every door, for as long as the signing key (or a
fallback of it) is known, whatever became of the thing that it was taken from.
"""

import base64
import binascii
from typing import Generic, TypeVar

import msgspec
from django.core.signing import BadSignature, Signer

from storage.errors import BadRequest
from storage.ids import MAX_ID

T = TypeVar("T")

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
CURSOR_MAX_CHARS = 200


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


def _signer() -> Signer:
    return Signer(salt="storage.paging.cursor", sep=".")
