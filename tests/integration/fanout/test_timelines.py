"""Materialised timelines on a real Redis: insert, trim, rebuild, in any order and overlap."""

import random

import msgspec
import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from accounts.graph.follows import graph_version_key
from fanout.timelines import builds, layout, materialised, snapshots
from fanout.timelines.materialised import STALE_SNAPSHOT, Window
from fanout.timelines.snapshots import PushSnapshot
from storage.ids.snowflakes import MAX_ID, make_id, now_us
from storage.redis.node import Script, timeline_node
from storage.redis.shards import by_shard, generation_key, timeline_shard
from tests.ids import new_id

pytestmark = pytest.mark.usefixtures("redis_servers")

CAP = 10


@pytest.fixture(autouse=True)
def _small_timelines(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIMELINE_CAP = CAP
    monkeypatch.setattr(materialised, "TRIM_SLACK", 3)


def deliver(entry_id: int, *readers: int, snapshot: PushSnapshot | None = None) -> int:
    commands = materialised.deliver_commands(entry_id, by_shard(readers), snapshot or snapshots.take_snapshot())
    return sum(timeline_node().round_trip(*commands))


def retract(entry_id: int, *readers: int) -> int:
    commands = materialised.retract_commands(entry_id, by_shard(readers))
    return sum(timeline_node().round_trip(*commands))


def read(reader: int, *, before: int | None = None, after: int | None = None, count: int = 100) -> Window | None:
    """Without when it was opened, which differs from run to run."""
    [window] = timeline_node().ask(materialised.read(reader, before=before, after=after, count=count))
    return msgspec.structs.replace(window, opened_us=0) if window is not None else None


def ready(reader: int, ids: list[int] | None = None, *, floor: int = 0) -> None:
    """A ready timeline of these ids, newest first."""
    build = builds.open_build(reader)
    assert build is not None
    assert builds.finish_build(build, ids or [], floor=floor)


def raise_epoch(reader: int) -> None:
    timeline_node().round_trip(("SET", materialised.epoch_key(timeline_shard(reader)), layout.pack(new_id())))


def raise_graph_version(reader: int) -> None:
    timeline_node().round_trip(("SET", graph_version_key(reader), layout.pack(new_id())))


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


def test_what_is_delivered_during_a_rebuild_is_kept() -> None:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    for each in (50, 20, 90):
        assert deliver(each, reader) == 1
    assert read(reader) is None, "a timeline that is being built answers nobody"
    assert builds.finish_build(build, [80, 50, 30], floor=25)
    assert read(reader) == Window([90, 80, 50, 30], 25)


def test_of_two_rebuilds_one_is_done() -> None:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    assert builds.open_build(reader) is None
    assert builds.finish_build(build, [3], floor=0)
    assert builds.open_build(reader) is None, "it is ready"
    assert not builds.finish_build(build, [4], floor=0), "a token is good once"
    assert read(reader) == Window([3], 0)


def test_a_rebuild_is_refused_when_the_graph_changed_after_it_opened() -> None:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    raise_graph_version(reader)
    assert not builds.finish_build(build, [3], floor=0)
    ready(reader, [4])
    assert read(reader) == Window([4], 0)


def test_a_rebuild_that_was_overtaken_by_another_cannot_end_that_one() -> None:
    reader = new_id()
    slow = builds.open_build(reader)
    assert slow is not None
    raise_graph_version(reader)
    build = builds.open_build(reader)
    assert build is not None
    assert not builds.finish_build(slow, [3], floor=0)
    assert builds.finish_build(build, [4], floor=0)
    assert read(reader) == Window([4], 0)


def test_a_timeline_of_another_graph_version_is_not_served() -> None:
    reader = new_id()
    ready(reader, [3])
    raise_graph_version(reader)
    assert read(reader) is None
    ready(reader, [2])
    assert read(reader) == Window([2], 0)


def test_a_rebuild_is_refused_when_redis_was_emptied_after_it_opened() -> None:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    timeline_node().round_trip(("FLUSHALL",))
    assert not builds.finish_build(build, [3], floor=0)
    assert read(reader) is None


def test_an_abandoned_rebuild_ends_by_itself_though_the_reader_reads_on() -> None:
    reader = new_id()
    builds.open_build(reader)
    timeline_node().round_trip(materialised.touch_command(reader))
    [seconds] = timeline_node().round_trip(("TTL", materialised.timeline_key(reader)))
    assert 0 < seconds <= builds.BUILD_SECONDS


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


def test_entries_pushed_out_during_a_rebuild_raise_its_floor() -> None:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    for each in range(100, 100 + CAP + 4):
        deliver(each, reader)
    assert builds.finish_build(build, [90], floor=0)
    window = read(reader)
    assert window is not None
    assert window.floor == 103
    assert window.ids == list(range(113, 103, -1))


class TestLatePushes:
    """What a worker pushes after it stood still, between reading its list of followers and pushing."""

    def test_a_timeline_opened_after_the_snapshot_does_not_take_the_push(self) -> None:
        """The list may hold a reader who has left since; what they are to have, their rebuild has pulled."""
        stayed, left = new_id(), new_id()
        ready(stayed, [3])
        ready(left, [3])
        snapshot = snapshots.take_snapshot()
        raise_graph_version(left)
        ready(left)
        assert deliver(5, stayed, left, snapshot=snapshot) == 2
        assert read(stayed) == Window([5, 3], 0)
        assert read(left) == Window([], 0)
        assert deliver(6, left) == 1
        assert read(left) == Window([6], 0), "a list read after the opening counts"

    def test_opened_counts_also_before_the_first_opening_of_a_shard(self) -> None:
        reader = new_id()
        snapshot = snapshots.take_snapshot()
        ready(reader)
        deliver(5, reader, snapshot=snapshot)
        assert read(reader) == Window([], 0)

    def test_a_push_is_refused_when_redis_was_emptied_after_the_snapshot(self) -> None:
        reader = new_id()
        snapshot = snapshots.take_snapshot()
        timeline_node().round_trip(("FLUSHALL",))
        ready(reader)
        assert deliver(5, reader, snapshot=snapshot) == STALE_SNAPSHOT
        assert read(reader) == Window([], 0)

    def test_a_generation_is_begun_when_any_shard_has_lost_its_own(self) -> None:
        reader = new_id()
        ready(reader)
        [*_, last] = range(django_settings.TIMELINE_SHARDS)
        timeline_node().round_trip(("DEL", generation_key(last)))
        deliver(5, reader)
        assert read(reader) is None
        ready(reader)
        assert deliver(5, reader) == 1

    def test_a_push_is_refused_too_long_after_the_snapshot(self) -> None:
        reader = new_id()
        ready(reader)
        snapshot = snapshots.take_snapshot()
        long_ago = msgspec.structs.replace(
            snapshot, taken_us=snapshot.taken_us - snapshots.SNAPSHOT_SECONDS * 1_000_000 - 1
        )
        assert deliver(5, reader, snapshot=long_ago) == STALE_SNAPSHOT
        assert deliver(5, reader, snapshot=snapshot) == 1
        assert read(reader) == Window([5], 0)

    def test_a_retracted_entry_is_not_delivered_any_more(self) -> None:
        reader = new_id()
        ready(reader)
        snapshot = snapshots.take_snapshot()
        retract(5, reader)
        deliver(5, reader, snapshot=snapshot)
        assert read(reader) == Window([], 0)
        deliver(6, reader)
        assert read(reader) == Window([6], 0), "another entry is"
        [seconds] = timeline_node().round_trip(("TTL", materialised.gone_key(timeline_shard(reader), 5)))
        assert seconds > snapshots.SNAPSHOT_SECONDS

    def test_an_entry_retracted_during_a_rebuild_that_has_pulled_it_stays_away(self) -> None:
        reader = new_id()
        build = builds.open_build(reader)
        assert build is not None
        deliver(9, reader)
        retract(9, reader)
        retract(7, reader)
        assert builds.finish_build(build, [9, 8, 7, 6], floor=0)
        assert read(reader) == Window([8, 6], 0)

    def test_an_author_s_own_entry_is_taken_when_it_is_not_retracted(self) -> None:
        author, entry, deleted = new_id(), new_id(), new_id()
        ready(author)
        retract(deleted, author)
        for each in (entry, deleted):
            timeline_node().round_trip(
                materialised.deliver_to_author_command(each, author, snapshots.take_snapshot().generation)
            )
        assert read(author) == Window([entry], 0)

    def test_an_author_s_own_entry_that_comes_too_late_ends_the_timeline_which_is_then_pulled(self) -> None:
        author = new_id()
        late = make_id(now_us() - (snapshots.SNAPSHOT_SECONDS + 1) * 1_000_000, 0)
        ready(author, [3])
        timeline_node().round_trip(
            materialised.deliver_to_author_command(late, author, snapshots.take_snapshot().generation)
        )
        assert read(author) is None


def test_an_epoch_raised_during_a_rebuild_refuses_it_and_outdates_what_was_built_before() -> None:
    reader = new_id()
    ready(reader, [3])
    assert read(reader) == Window([3], 0)
    raise_epoch(reader)
    outdated = read(reader)
    assert outdated is not None
    assert not outdated.of_this_epoch
    build = builds.open_build(reader)
    assert build is not None
    raise_epoch(reader)
    assert not builds.finish_build(build, [4], floor=0)
    build = builds.open_build(reader)
    assert build is not None
    assert builds.finish_build(build, [4], floor=0)
    assert read(reader) == Window([4], 0)


def test_a_window_tells_when_its_rebuild_began() -> None:
    reader = new_id()
    before = now_us()
    ready(reader, [3])
    deliver(5, reader)
    [window] = timeline_node().ask(materialised.read(reader, count=1))
    assert window is not None
    assert before <= window.opened_us <= now_us()


def test_the_merge_set_stays_with_its_timeline() -> None:
    reader, pairs = new_id(), ((new_id(), new_id()), (new_id(), new_id()))
    build = builds.open_build(reader)
    assert build is not None
    deliver(90, reader)
    assert builds.finish_build(build, [3], floor=0, merge_set=pairs)
    assert read(reader) == Window([90, 3], 0, pairs)
    assert read(reader, before=90) == Window([3], 0, pairs)
    for each in (2, *range(100, 100 + CAP + 4)):
        deliver(each, reader)
    assert read(reader, count=2) == Window([113, 112], 100, pairs)
    retract(113, reader)
    assert read(reader, after=110) == Window([112, 111], 100, pairs)


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
