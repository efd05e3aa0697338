"""Statements as bytes: what a record holds of a write, so that anybody can do it again.

Whole statements, with their text: a process of another version carries out exactly what was begun. Compressed, as
the texts are much alike: of a post some 450 bytes.
"""

import zlib
from collections.abc import Sequence

import msgspec
from cassandra.query import UNSET_VALUE

from storage.cassandra.session import Statement

LEVEL, WINDOW_BITS, MEMORY_LEVEL = 1, 12, 3
"""Of compression: 8 µs a post, of which zlib's own 256 KB of memory would make 59, and nearly as small as any."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, list[object]]]).decode


def encode(statements: Sequence[Statement]) -> bytes:
    """Returns the statements. Values are whole numbers, texts, booleans, lists of them, or left unset."""
    plain = [(cql, [None if value is UNSET_VALUE else value for value in params]) for cql, params in statements]
    compressing = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
    return compressing.compress(_encode(plain)) + compressing.flush()


def decode(encoded: bytes) -> list[Statement]:
    """Returns what was encoded. A null is never written, so it stands for what was left unset."""
    return [
        (cql, [UNSET_VALUE if value is None else value for value in params])
        for cql, params in _decode(zlib.decompress(encoded))
    ]
