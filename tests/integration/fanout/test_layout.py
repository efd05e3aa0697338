"""The bytes of a timeline: what Lua says of them is what Python says, and a shifted offset is found."""

import random
import re
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fanout.timelines import builds, layout, materialised, snapshots
from fanout.timelines.layout import NONE, TRAILER, State, Trailer, pack, pack_all, pack_merge_set, parse_trailer
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard
from tests.cluster import on_one_server
from tests.ids import new_id

pytestmark = [pytest.mark.usefixtures("redis_servers"), on_one_server]

LUA = materialised.LAYOUT.read_text()
OFFSETS = [
    match.span()
    for match in re.finditer(r"(?<![\w'\\>])-?\d+\b", LUA)
    if "--" not in LUA[: match.start()].split("\n")[-1]
]
"""Where the numbers of the prelude stand, but those of its comments."""

READ = """
local merge_set, trailer = redis.call('LINDEX', KEYS[1], MERGE_SET), redis.call('LINDEX', KEYS[1], TRAILER)
local retracted, authors = {}, {}
for place = RETRACTED, #trailer, ID_BYTES do retracted[#retracted + 1] = sub(trailer, place, place + ID_BYTES - 1) end
for place = AUTHORS, #merge_set, AUTHOR_BYTES do authors[#authors + 1] = sub(merge_set, place, place + ID_BYTES - 1) end
return {
    is_ready(trailer) and 1 or 0, is_building(trailer) and 1 or 0, floor_of(trailer), graph_version_of(trailer),
    token_of(trailer), opening_of(trailer), epoch_of(trailer), opened_us_of(trailer), retracted, authors,
    NO_MERGE_SET, NONE, ID_BYTES,
}
"""
"""What the accessors say of a list."""
WRITE = """
local trailer = opened_trailer(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
local finished = finished_trailer(trailer .. ARGV[6], ARGV[7])
return {trailer, with_floor(trailer .. ARGV[6], ARGV[7]), with_epoch(trailer .. ARGV[6], ARGV[8]), finished}
"""
"""Trailers as the builders write them."""
COMPARE = """
local high, low = struct.unpack(ID_HALVES, ARGV[1])
return is_higher(high, low, struct.unpack(ID_HALVES, ARGV[2])) and 1 or 0
"""

NUMBERS = st.integers(0, MAX_ID)
EIGHT = st.binary(min_size=8, max_size=8)
TRAILERS = st.builds(
    Trailer,
    state=st.sampled_from(State),
    floor=NUMBERS,
    graph_version=EIGHT,
    token=EIGHT,
    opening=st.integers(0, 10**12 - 1),
    epoch=EIGHT,
    opened_us=st.integers(0, 10**16 - 1),
    retracted=st.lists(NUMBERS, max_size=3).map(tuple),
)
MERGE_SETS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3).map(tuple)
quickly = hypothesis_settings(deadline=None, max_examples=60)


def evaluate(source: str, body: str, *args: str | bytes, keys: tuple[str, ...] = ()) -> Any:
    [answer] = timeline_node().round_trip(("EVAL", source + body, len(keys), *keys, *args))
    return answer


def packed(trailer: Trailer) -> bytes:
    """Its element."""
    fields = (trailer.graph_version, trailer.token, b"%012d" % trailer.opening, trailer.epoch)
    times = b"%016d" % trailer.opened_us
    return TRAILER.pack(trailer.state.value, pack(trailer.floor), *fields, times) + pack_all(trailer.retracted)


def assert_read_alike(source: str, trailer: Trailer, merge_set: tuple[tuple[int, int], ...]) -> None:
    """What Lua says of a list that Python wrote is what Python says of it."""
    key, element, pairs = f"layout:{new_id()}", packed(trailer), pack_merge_set(merge_set)
    assert parse_trailer(element) == trailer
    assert layout.parse_merge_set(pairs) == merge_set
    timeline_node().round_trip(("RPUSH", key, pack(5), pairs, element))
    ready, building, floor, version, token, opening, epoch, opened_us, retracted, authors, *constants = evaluate(
        source, READ, keys=(key,)
    )
    assert floor == pack(trailer.floor)
    said = (version, token, int(opening), epoch, int(opened_us), tuple(map(layout.unpack, retracted)))
    assert (bool(ready), bool(building)) == (trailer.state is State.READY, trailer.state is State.BUILDING)
    assert Trailer(trailer.state, trailer.floor, *said) == trailer
    assert [layout.unpack(author) for author in authors] == [author for author, _since in merge_set]
    assert constants == [pack_merge_set(()), NONE, len(pack(0))]


def assert_written_alike(source: str, trailer: Trailer, floor: int, epoch: bytes) -> None:
    """What Python says of trailers that Lua wrote is what Lua was told."""
    digits = (b"%012d" % trailer.opening, trailer.epoch, b"%016d" % trailer.opened_us)
    opened, with_floor, with_epoch, finished = evaluate(
        source, WRITE, trailer.graph_version, trailer.token, *digits, pack_all(trailer.retracted), pack(floor), epoch
    )
    building = msgspec.structs.replace(trailer, state=State.BUILDING, floor=0)
    assert parse_trailer(opened) == msgspec.structs.replace(building, retracted=())
    assert parse_trailer(with_floor) == msgspec.structs.replace(building, floor=floor)
    assert parse_trailer(with_epoch) == msgspec.structs.replace(building, epoch=epoch)
    assert parse_trailer(finished) == msgspec.structs.replace(building, state=State.READY, floor=floor, retracted=())


def assert_alike(source: str, trailers: list[Trailer]) -> None:
    for trailer in trailers:
        assert_read_alike(source, trailer, ((3, 4), (5, 6)))
        assert_written_alike(source, trailer, MAX_ID - 99, b"an epoch")


@given(TRAILERS, MERGE_SETS)
@quickly
def test_what_lua_reads_is_what_python_wrote(trailer: Trailer, merge_set: tuple[tuple[int, int], ...]) -> None:
    assert_read_alike(LUA, trailer, merge_set)


@given(TRAILERS, NUMBERS, EIGHT)
@quickly
def test_what_python_reads_is_what_lua_wrote(trailer: Trailer, floor: int, epoch: bytes) -> None:
    assert_written_alike(LUA, trailer, floor, epoch)


@given(NUMBERS, NUMBERS | st.none())
@quickly
def test_ids_are_compared_as_numbers(one: int, other: int | None) -> None:
    for each in (one - 1, one, one + 1, one ^ (1 << 31), one ^ (1 << 32)) if other is None else (other,):
        if 0 <= each <= MAX_ID:
            assert evaluate(LUA, COMPARE, pack(one), pack(each)) == int(one > each)


@pytest.mark.parametrize(("start", "end"), OFFSETS)
def test_an_offset_that_is_one_too_many_is_found(start: int, end: int) -> None:
    """So what is proved above is proved of every number in the prelude."""
    shifted = f"{LUA[:start]}{int(LUA[start:end]) + 1}{LUA[end:]}"
    numbers = random.Random(5)
    trailers = [
        Trailer(
            state=state,
            floor=MAX_ID - 77,
            graph_version=numbers.randbytes(8),
            token=numbers.randbytes(8),
            opening=123_456_789_012,
            epoch=numbers.randbytes(8),
            opened_us=1_234_567_890_123_456,
            retracted=(8, 9),
        )
        for state in State
    ]
    assert_alike(LUA, trailers)
    with pytest.raises((AssertionError, ValueError, struct.error, Unavailable)):
        assert_alike(shifted, trailers)


def test_a_timeline_as_the_scripts_leave_it() -> None:
    reader, large = new_id(), (new_id(), new_id())
    build = builds.open_build(reader)
    assert build is not None
    snapshot = snapshots.take_snapshot()
    retract = materialised.retract_commands(7, new_id(), by_shard([reader]), snapshot)
    deliver = materialised.deliver_commands(9, by_shard([reader]), snapshot)
    timeline_node().round_trip(*retract, *deliver)
    entry, merge_set, element = elements(reader)
    opened = parse_trailer(element)
    assert (opened.state, opened.floor, opened.token, opened.retracted) == (State.BUILDING, 0, build.token, (7,))
    assert (entry, layout.parse_merge_set(merge_set)) == (pack(9), ())
    assert builds.finish_build(build, [8, 7, 6], floor=5, merge_set=[large])
    *entries, merge_set, element = elements(reader)
    assert entries == [pack(9), pack(8), pack(6)]
    assert layout.parse_merge_set(merge_set) == (large,)
    assert parse_trailer(element) == msgspec.structs.replace(opened, state=State.READY, floor=5, retracted=())


def elements(reader: int) -> list[bytes]:
    [found] = timeline_node().round_trip(("LRANGE", materialised.timeline_key(reader), 0, -1))
    return list(found)
