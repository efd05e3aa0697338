"""The bytes of a timeline: the one module that knows them in Python, as `fanout/timelines/lua/layout.lua` does in Lua.

A timeline is one Redis list: entry ids, newest first, 8 bytes each; then its *merge set*; and as
its last element its *trailer*. No merge set and no trailer is as long as an id, so each element
says by its length whether it is an entry.

    merge set = "M" · (author (8) · since (8))*
    trailer   = state (1) · floor (8) · graph version (8) · token (8) · opening (12) · epoch (8) · opened_us (16)
                · (id retracted while building (8))*

Ids, versions and epochs are big-endian numbers; `opening` and `opened_us` are decimal digits, since
Lua counts them. An example, of somebody who follows a large author 7 who is pulled since operation 9,
with two entries, 30 and 20, complete down to 10, and opened as the 42nd timeline of its shard:

    00…1e
    00…14
    "M" 00…07 00…09
    "R" 00…0a <graph version> <token> "000000000042" <epoch> "1700000000000000"
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import partial

import msgspec

MERGE_SET_TAG = b"M"
TRAILER = struct.Struct(">c8s8s8s12s8s16s")
"""Its fields in order, as `Trailer` names them, but for the ids at its end."""
NONE = bytes(8)
"""The floor of a timeline that holds everything; a graph version, or an epoch, before the first change."""


pack: Callable[[int], bytes] = partial(int.to_bytes, length=8, byteorder="big")
"""The 8 bytes of an id, a floor, an epoch or a version, in the order of numbers."""


class State(Enum):
    READY = b"R"
    """It may be read."""
    BUILDING = b"B"
    """Deliveries land in it, and nobody reads it until its rebuild has ended."""


class Trailer(msgspec.Struct, frozen=True):
    """A timeline's last element: what it says of itself."""

    state: State
    floor: int
    """Everything above it is in the list, but for orders that are open and for the merge set."""
    graph_version: bytes
    """Of its reader's graph, when it was opened: under another one it counts as cold."""
    token: bytes
    """The right to finish its rebuild, and afterwards which rebuild it is of."""
    opening: int
    """The how many-th timeline of its shard it was, when it was opened."""
    epoch: bytes
    """That it was opened, or found to be right, under: under another one its merge set is looked up anew."""
    opened_us: int
    """When its rebuild began, in Unix microseconds by Redis' clock."""
    retracted: tuple[int, ...] = ()
    """While building: what is left out when it is finished, though it may have been pulled before."""


def unpack(packed: bytes) -> int:
    """Returns the number whose `pack` this is."""
    return int.from_bytes(packed, "big")


def pack_all(numbers: Iterable[int]) -> bytes:
    """Returns their bytes, one after the other."""
    return b"".join(map(pack, numbers))


def unpack_all(packed: bytes) -> tuple[int, ...]:
    """Returns the numbers whose `pack_all` this is."""
    return struct.unpack(f">{len(packed) // 8}Q", packed)


def pack_merge_set(merge_set: Iterable[tuple[int, int]]) -> bytes:
    """Returns the element for these authors, each with the operation since when they are pulled."""
    return MERGE_SET_TAG + pack_all(number for pair in merge_set for number in pair)


def parse_merge_set(element: bytes) -> tuple[tuple[int, int], ...]:
    """Returns the pairs whose `pack_merge_set` this is."""
    numbers = unpack_all(element[len(MERGE_SET_TAG) :])
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def parse_trailer(element: bytes) -> Trailer:
    """Returns what stands in a timeline's last element."""
    state, floor, graph_version, token, opening, epoch, opened_us = TRAILER.unpack_from(element)
    retracted = unpack_all(element[TRAILER.size :])
    return Trailer(State(state), unpack(floor), graph_version, token, int(opening), epoch, int(opened_us), retracted)


def ready_trailer(elements: Sequence[bytes]) -> Trailer | None:
    """Returns the trailer at the end of a timeline, or of a part of it; None unless it is there and ready."""
    if not elements:
        return None
    trailer = parse_trailer(elements[-1])
    return trailer if trailer.state is State.READY else None
