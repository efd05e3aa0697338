"""Materialised timelines on a real Redis: insert, trim, retract, read, in any order."""

import random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from fanout.timelines import materialised
from fanout.timelines.materialised import Window
from storage.ids.snowflakes import MAX_ID
from storage.redis.node import Script, timeline_node
from tests.ids import new_id
from tests.integration.fanout.materialising import CAP, deliver, read, ready, retract

pytestmark = pytest.mark.usefixtures("small_timelines", "redis_servers")


def test_an_inactive_reader_gets_nothing() -> None:
    reader = new_id()
    assert deliver(5, reader) == 0
    assert read(reader) is None
    assert timeline_node().round_trip(("EXISTS", materialised.timeline_key(reader))) == [0]


def test_an_empty_timeline_is_active() -> None:
    reader = new_id()
    ready(reader)
    assert read(reader) == Window([], 0)
    assert deliver(5, reader) == 1
    assert read(reader) == Window([5], 0)


IDS = st.lists(st.integers(1, 40) | st.integers(MAX_ID - 40, MAX_ID), max_size=40)


@given(IDS)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_order_of_deliveries_and_repetitions_gives_the_same_timeline(ids: list[int]) -> None:
    """The newest are there once, in order; the floor covers exactly what was dropped."""
    reader = new_id()
    ready(reader)
    for each in ids:
        deliver(each, reader)
    window = read(reader)
    assert window is not None
    assert window.ids == sorted((each for each in set(ids) if each > window.floor), reverse=True)
    assert len(window.ids) <= CAP + 3
    assert len(set(ids)) > CAP + 3 or window.floor == 0


def test_trimming_raises_the_floor_to_the_newest_dropped() -> None:
    reader = new_id()
    ready(reader)
    for each in range(1, CAP + 5):
        deliver(each, reader)
    assert read(reader) == Window(list(range(CAP + 4, 4, -1)), 4)
    deliver(3, reader)
    assert read(reader) == Window(list(range(CAP + 4, 4, -1)), 4)


@pytest.mark.parametrize("late_by", [0, 1, 19, 20, 21, 40, 99, 100])
def test_an_entry_finds_its_place_however_late_it_is(late_by: int, settings: Settings) -> None:
    """Looked for a few places at a time: between two of them, too, and at the end."""
    settings.TIMELINE_CAP = 1000
    reader = new_id()
    ids = list(range(200, 0, -2))
    ready(reader, ids)
    late = 201 - 2 * late_by
    for _ in range(2):
        deliver(late, reader)
    assert read(reader, count=200) == Window(sorted([*ids, late], reverse=True), 0)


def test_ids_are_compared_as_numbers_over_all_their_bits() -> None:
    """Across the 32-bit halves, and past what a double can hold."""
    ids = [MAX_ID, MAX_ID - 1, 2**53 + 1, 2**53, 2**32, 2**32 - 1, 2**31, 255, 10, 1]
    reader = new_id()
    ready(reader)
    for each in random.Random(3).sample(ids, len(ids)):
        deliver(each, reader)
    assert read(reader) == Window(ids, 0)


@pytest.mark.parametrize("count", [1, 3, 100])
def test_windows_below_and_above_a_place(count: int, settings: Settings) -> None:
    settings.TIMELINE_CAP = 1000
    reader = new_id()
    ids = list(range(500, 0, -2))
    ready(reader, ids)
    for place in (1, 2, 3, 250, 251, 499, 500, 501, MAX_ID):
        below, above = read(reader, before=place, count=count), read(reader, after=place, count=count)
        assert below is not None
        assert above is not None
        assert below.ids == [each for each in ids if each < place][:count]
        assert above.ids == [each for each in ids if each > place][-count:]


def test_a_retracted_entry_is_gone_and_the_rest_stays() -> None:
    reader = new_id()
    ready(reader, [9, 7, 5])
    assert retract(7, reader) == 1
    assert retract(7, reader) == 0
    assert read(reader) == Window([9, 5], 0)


def test_reading_keeps_a_timeline_and_delivering_does_not(settings: Settings) -> None:
    reader = new_id()
    ready(reader)
    timeline_node().round_trip(("EXPIRE", materialised.timeline_key(reader), 100))
    deliver(5, reader)
    [seconds] = timeline_node().round_trip(("TTL", materialised.timeline_key(reader)))
    assert seconds <= 100
    timeline_node().round_trip(materialised.touch_command(reader))
    [seconds] = timeline_node().round_trip(("TTL", materialised.timeline_key(reader)))
    assert settings.ACTIVE_DAYS * 86_400 - 60 < seconds <= settings.ACTIVE_DAYS * 86_400


def test_scripts_are_loaded_again_after_a_restart() -> None:
    reader = new_id()
    ready(reader)
    timeline_node().round_trip(("SCRIPT FLUSH",))
    assert deliver(5, reader) == 1
    assert list(Script.sources())


def test_many_readers_of_all_shards_in_one_round_trip() -> None:
    active, inactive = [new_id() for _ in range(1_200)], [new_id() for _ in range(300)]
    for reader in active:
        ready(reader)
    assert deliver(7, *active, *inactive) == len(active)
    for reader in random.Random(1).sample(active, 20):
        assert read(reader) == Window([7], 0)


def test_another_number_of_shards_means_other_timelines(settings: Settings) -> None:
    """Also for a reader whose shard has the same number under both."""
    readers = [new_id() for _ in range(40)]
    for reader in readers:
        ready(reader, [3])
    settings.TIMELINE_SHARDS += 1
    assert [read(reader) for reader in readers] == [None] * len(readers)
