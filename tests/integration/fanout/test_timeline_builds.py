"""Rebuilds of timelines on a real Redis: what they keep, what refuses them, what they leave beside the entries."""

import pytest

from fanout.timelines import builds, materialised
from fanout.timelines.materialised import Window
from storage.ids.snowflakes import now_us
from storage.redis.node import timeline_node
from tests.ids import new_id
from tests.integration.fanout.materialising import CAP, deliver, raise_epoch, raise_graph_version, read, ready, retract

pytestmark = pytest.mark.usefixtures("small_timelines", "redis_servers")


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
