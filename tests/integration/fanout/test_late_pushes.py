"""Pushes, retractions and authors' own entries that reach a timeline on a real Redis late: what is refused, and why."""

import pytest
from django.conf import settings as django_settings

from fanout.timelines import builds, materialised, snapshots
from fanout.timelines.materialised import STALE_SNAPSHOT, Window
from storage.ids.snowflakes import make_id, now_us
from storage.redis.node import timeline_node
from storage.redis.shards import generation_key, timeline_shard
from tests.cluster import on_one_server
from tests.ids import new_id
from tests.integration.fanout.materialising import (
    as_taken_before,
    deliver,
    generation_of,
    raise_graph_version,
    read,
    ready,
    retract,
)

pytestmark = pytest.mark.usefixtures("small_timelines", "redis_servers")


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

    @on_one_server
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
        long_ago = as_taken_before(snapshot, snapshots.SNAPSHOT_SECONDS * 1_000_000 + 1)
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
            timeline_node().round_trip(materialised.deliver_to_author_command(each, author, generation_of(author)))
        assert read(author) == Window([entry], 0)

    def test_an_author_s_own_entry_that_comes_too_late_ends_the_timeline_which_is_then_pulled(self) -> None:
        author = new_id()
        late = make_id(now_us() - (snapshots.SNAPSHOT_SECONDS + 1) * 1_000_000, 0)
        ready(author, [3])
        timeline_node().round_trip(materialised.deliver_to_author_command(late, author, generation_of(author)))
        assert read(author) is None
