"""Putting an entry back into timelines on a real Redis: at its place, at a bounded cost, and never behind its end."""

import random

import pytest
from pytest_django.fixtures import Settings

from fanout.timelines import builds, materialised, snapshots
from fanout.timelines.materialised import FOR_GOOD, OVERTAKEN, STALE_SNAPSHOT, Window
from storage.redis.node import timeline_node
from tests.ids import new_id
from tests.integration.fanout.materialising import deliver, lift, read, ready, restore, retract
from tests.integration.fanout.pacing import commands_run

pytestmark = pytest.mark.usefixtures("redis_servers")


FULL = 800
"""As many entries as a timeline has by default; recent lists have half of it."""


def test_an_entry_comes_back_to_its_place_wherever_that_is(settings: Settings) -> None:
    settings.TIMELINE_CAP = FULL
    reader, ids = new_id(), sorted((new_id() for _ in range(60)), reverse=True)
    for entry in ids:
        ready(reader, [each for each in ids if each != entry])
        retract(entry, reader)
        lift(entry, op := new_id())
        for _ in range(2):
            assert restore(entry, reader, op=op) == 1
            assert read(reader) == Window(ids, 0)
        timeline_node().round_trip(materialised.discard_command(reader))


def test_late_deliveries_find_their_place_as_well(settings: Settings) -> None:
    settings.TIMELINE_CAP = FULL
    reader, ids = new_id(), [new_id() for _ in range(120)]
    ready(reader)
    random.Random(1).shuffle(ids)
    for each in ids + ids[:40]:
        deliver(each, reader)
    assert read(reader, count=200) == Window(sorted(ids, reverse=True), 0)


def test_its_place_in_a_full_timeline_takes_few_steps(settings: Settings) -> None:
    """By halving: walking from the head took Redis 40 commands a timeline, and 260 ms for 500 of them."""
    settings.TIMELINE_CAP = FULL
    reader, ids = new_id(), sorted((new_id() for _ in range(FULL)), reverse=True)
    most = 0
    for entry in (ids[0], ids[10], ids[FULL // 3], ids[FULL // 2], ids[-2], ids[-1]):
        ready(reader, [each for each in ids if each != entry])
        lift(entry, op := new_id())
        with commands_run() as counted:
            restore(entry, reader, op=op)
        most = max(most, counted())
        window = read(reader, count=FULL)
        assert window is not None
        assert window.ids == ids
        timeline_node().round_trip(materialised.discard_command(reader))
    assert most <= 20


def test_below_the_floor_it_stays_out() -> None:
    reader = new_id()
    ready(reader, [9, 7], floor=5)
    lift(4, op := new_id())
    assert restore(4, reader, op=op) == 1
    assert read(reader) == Window([9, 7], 5)


def test_the_later_of_the_two_wins_in_whatever_order_they_come() -> None:
    reader, first, second, third = new_id(), new_id(), new_id(), new_id()
    ready(reader, [9, 7, 5])
    retract(7, reader, op=first)
    lift(7, second)
    assert retract(7, reader, op=first) == OVERTAKEN
    restore(7, reader, op=second)
    assert retract(7, reader, op=first) == OVERTAKEN
    assert read(reader) == Window([9, 7, 5], 0)
    assert retract(7, reader, op=third) == 1
    assert restore(7, reader, op=second) == OVERTAKEN
    lift(7, second)
    assert restore(7, reader, op=second) == OVERTAKEN, "a late lift lifts nothing"
    assert read(reader) == Window([9, 5], 0)


def test_what_is_retracted_for_good_is_not_put_back() -> None:
    reader = new_id()
    ready(reader, [9, 7, 5])
    lift(7, op := new_id())
    retract(7, reader, op=FOR_GOOD)
    lift(7, op)
    assert restore(7, reader, op=op) == OVERTAKEN
    assert read(reader) == Window([9, 5], 0)


def test_a_tombstone_of_the_version_before_gives_way(settings: Settings) -> None:
    reader = new_id()
    ready(reader, [9, 5])
    tombstones = [("SET", materialised.gone_key(shard, 7), b"") for shard in range(settings.TIMELINE_SHARDS)]
    timeline_node().round_trip(*tombstones)
    assert restore(7, reader, op=new_id()) == 1
    assert read(reader) == Window([9, 7, 5], 0)


def test_a_build_that_was_told_to_leave_it_out_has_it_again() -> None:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    for entry in (8, 7, 6):
        retract(entry, reader)
    lift(7, op := new_id())
    restore(7, reader, op=op)
    assert builds.finish_build(build, [9, 8, 6, 5], floor=0)
    assert read(reader) == Window([9, 7, 5], 0), "and the others it still leaves out"


def test_who_opened_since_the_snapshot_and_an_old_snapshot_refuse() -> None:
    opened, standing = new_id(), new_id()
    ready(standing, [9, 5])
    snapshot = snapshots.take_snapshot()
    ready(opened, [9, 5])
    lift(7, op := new_id())
    assert restore(7, opened, standing, op=op, snapshot=snapshot) == 2
    assert (read(opened), read(standing)) == (Window([9, 5], 0), Window([9, 7, 5], 0))
    timeline_node().round_trip(("FLUSHALL",))
    snapshots.take_snapshot()
    for act in (retract, restore):
        assert act(7, standing, op=op, snapshot=snapshot) == STALE_SNAPSHOT
