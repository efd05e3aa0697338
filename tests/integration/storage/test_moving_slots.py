"""A slot of a cluster moves to another node, key by key, while people read and write: nothing of it is emptied, and no
generation begins, before all of it is there."""

from collections.abc import Iterator
from typing import Self

import pytest
from django.conf import settings

from accounts.graph import follows
from fanout.timelines import snapshots
from fanout.timelines.materialised import timeline_key
from storage.errors import Unavailable
from storage.redis import generations
from storage.redis.node import timeline_node
from storage.redis.shards import generation_key, shard_slot, shard_tag, timeline_shard
from storage.redis.slots import UNSAID
from tests.cluster import timelines_at
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.valkey_cluster import ClusterServer, ValkeyCluster, wait_for
from tests.work import work_off_everything
from tweets.reading.bodies import tweets_by_id

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.fixture(scope="module")
def servers() -> Iterator[ValkeyCluster]:
    with ValkeyCluster() as servers:
        yield servers


@pytest.fixture
def cluster(servers: ValkeyCluster) -> Iterator[ValkeyCluster]:
    """Keeps what it is given from test to test: tests here break nothing, and name everything anew."""
    with timelines_at(servers.url):
        wait_for(answers)
        yield servers


def answers() -> bool:
    """Whether every shard is somebody's, and stands there."""
    try:
        generations.begin(timeline_node())
    except Unavailable:
        return False
    return True


class Moving:
    """The slot of a reader who follows an author, on its way to another node; the generation goes first.

    The bodies of what is on the page stand in this slot and in others.
    """

    def __init__(self, cluster: ValkeyCluster) -> None:
        self.author = new_person()
        self.posted: list[int] = []
        while len(shards := set(map(timeline_shard, self.posted))) < 2:
            self.posted.insert(0, post(self.author))
        self.reader = next(each for each in iter(new_person, None) if timeline_shard(each.id) in shards)
        follows.follow(self.reader.id, self.author.id)
        work_off_everything()
        assert home(self.reader) == self.posted
        tweets_by_id(self.posted)
        self.shard = timeline_shard(self.reader.id)
        self.slot = shard_slot(self.shard)
        self.source = cluster.primary_of_slot(self.slot)
        self.target = other_than(self.source, cluster)
        self.generation = self.source.tell("GET", generation_key(self.shard))
        self.steps = cluster.move_slot(self.slot, self.source, self.target, first=[generation_key(self.shard)])

    def begin(self) -> None:
        """Moves the generation alone."""
        next(self.steps)
        next(self.steps)
        assert self.target.tell("CLUSTER COUNTKEYSINSLOT", self.slot) == 1

    def end(self) -> None:
        for _ in self.steps:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves a slot that is whole, however the test has gone."""
        self.end()


def other_than(server: ClusterServer, cluster: ValkeyCluster) -> ClusterServer:
    return cluster.primaries[(cluster.primaries.index(server) + 1) % len(cluster.primaries)]


def test_reads_and_writes_are_right_at_every_step(cluster: ValkeyCluster) -> None:
    with Moving(cluster) as moving:
        for step, _ in enumerate(moving.steps):
            if step < 4:
                moving.posted.insert(0, post(moving.author))
                assert home(moving.reader) == moving.posted
        wait_for(answers)
        work_off_everything()
        assert home(moving.reader) == moving.posted
        assert in_redis(moving.reader) == moving.posted
        run = moving.target.tell("INFO", "server")["run_id"]
        assert moving.target.tell("GET", generation_key(moving.shard))[:16] == run[:16].encode()


def test_who_reads_bodies_amid_the_move_begins_nothing_at_the_target(cluster: ValkeyCluster) -> None:
    """The slot would be emptied at one end, and what comes later count as of the new generation for good."""
    with Moving(cluster) as moving:
        moving.begin()
        assert sorted(tweets_by_id(moving.posted)) == sorted(moving.posted)
        moving.end()
        assert moving.target.tell("GET", generation_key(moving.shard)) == moving.generation
        assert moving.target.tell("EXISTS", timeline_key(moving.reader.id)) == 1
        wait_for(answers)
        assert home(moving.reader) == moving.posted


def test_a_push_amid_the_move_waits_for_that_shard_and_begins_nothing(cluster: ValkeyCluster) -> None:
    with Moving(cluster) as moving:
        moving.begin()
        snapshot = snapshots.take_snapshot()
        known = {shard for shard in range(settings.TIMELINE_SHARDS) if snapshot.shards[shard] is not None}
        assert known == set(range(settings.TIMELINE_SHARDS)) - {moving.shard}
        with pytest.raises(Unavailable):
            generations.begin(timeline_node())
        moving.end()
        assert moving.target.tell("GET", generation_key(moving.shard)) == moving.generation


def test_what_is_not_known_of_a_shard_is_no_reason_to_begin_it(cluster: ValkeyCluster) -> None:
    generation = {0: b"of shard 0"}
    assert timeline_node().generation_of(generation, {1: UNSAID}) == generation


def test_a_plain_command_follows_its_key_and_the_clock_follows_it(cluster: ValkeyCluster) -> None:
    with Moving(cluster) as moving:
        moving.begin()
        asked = moving.target.times("time")
        [generation, clock] = timeline_node().round_trip(("GET", generation_key(moving.shard)), ("TIME",))
        assert (generation, len(clock)) == (moving.generation, 2)
        assert moving.target.times("time") == asked + 1
        moving.end()


def test_the_clock_goes_where_a_slot_has_moved(cluster: ValkeyCluster) -> None:
    with Moving(cluster) as moving:
        moving.end()
        asked = moving.target.times("time")
        key = f"{shard_tag(moving.shard)}:nothing"
        assert timeline_node().round_trip(("GET", key), ("TIME",))[0] is None
        assert moving.target.times("time") == asked + 1
