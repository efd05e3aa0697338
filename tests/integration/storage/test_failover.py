"""Redis is restarted, or replaced by a replica that lags: nothing from before is believed.

The restarts and the failover are those of real servers.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from accounts.graph import blocks, exclusions, follows
from accounts.graph.counts import FOLLOWERS
from accounts.sessions import tokens
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.valkey import Valkey
from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.errors import NotSignedIn, Unavailable
from storage.redis import count_cache as person_counts
from storage.redis import generations
from storage.redis.node import timeline_node
from storage.redis.shards import generation_key
from tests.backends import timeline_redis_at
from tests.integration.storage.late_fills import after, forget, shown
from tests.integration.tweeting import home, post, seen, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.liking import like
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


class Town:
    """Ada reads; Bob, Eve and Dan are followed by her; and what happens while Redis does not hear of it."""

    def __init__(self) -> None:
        self.ada, self.bob, self.eve, self.dan = (new_person() for _ in range(4))
        for author in (self.bob, self.eve, self.dan):
            follows.follow(self.ada.id, author.id)
        home(self.ada)
        self.raw = tokens.issue(self.ada)
        self.doomed, self.liked, self.of_eve, self.of_dan = map(post, (self.bob, self.bob, self.eve, self.dan))
        work_off_everything()
        self.look()
        assert home(self.ada) == [self.of_dan, self.of_eve, self.liked, self.doomed]

    def look(self) -> None:
        """Fills every cache there is."""
        revoker = tokens.authenticate(self.raw)
        self.viewer = revoker
        seen(self.liked, self.ada)
        person_counts.counts_of(self.dan.id, [FOLLOWERS])
        exclusions.exclusions_of(self.ada.id)

    def change(self) -> None:
        delete_tweet(tweet_id=self.doomed, viewer=viewer(self.bob))
        blocks.block(self.ada.id, self.eve.id)
        follows.unfollow(self.ada.id, self.dan.id)
        like(viewer=viewer(self.ada), tweet_id=self.liked)
        tokens.revoke(self.viewer)
        self.new = post(self.bob)

    def assert_right(self) -> None:
        assert shown(self.doomed) == []
        assert home(self.ada) == [self.new, self.liked]
        flags = seen(self.liked, self.ada)
        assert flags.viewer is not None
        assert flags.viewer.liked
        assert flags.counts.likes == 1
        assert person_counts.counts_of(self.dan.id, [FOLLOWERS]) == [0]
        assert exclusions.exclusions_of(self.ada.id).hidden == {self.eve.id}
        with pytest.raises(NotSignedIn):
            tokens.authenticate(self.raw)


def holds(server: Valkey, key: str) -> bool:
    """Whether the server has it, asked past the product."""
    with redis.Redis.from_url(server.url) as client:
        return bool(client.exists(key))


class TestRestart:
    def test_what_a_server_loads_from_its_disk_is_not_believed(self, tmp_path: Path) -> None:
        """Killed, and back on the same port with everything that it knew."""
        with Valkey(data_dir=tmp_path, persistent=True) as server, timeline_redis_at(server.url):
            town = Town()
            server.kill()
            town.change()
            server.start()
            assert holds(server, TWEET_BYTES.key(town.doomed)), "it came back as it was"
            town.assert_right()

    def test_a_fill_from_before_a_restart_does_not_land(self, tmp_path: Path) -> None:
        with Valkey(data_dir=tmp_path, persistent=True) as server, timeline_redis_at(server.url):
            author = new_person()
            tweet = post(author)
            forget(tweet)
            delete = partial(delete_tweet, tweet_id=tweet, viewer=viewer(author))
            with after(tweet_store(), "get_many", server.kill, delete, server.start):
                shown(tweet)
            assert shown(tweet) == []


@pytest.fixture
def primary() -> Iterator[Valkey]:
    with Valkey(name="primary") as server, timeline_redis_at(server.url):
        yield server


@pytest.fixture
def replica(primary: Valkey) -> Iterator[Valkey]:
    with Valkey(name="replica") as server:
        follow_primary(server, primary)
        yield server


def follow_primary(server: Valkey, primary: Valkey) -> None:
    """Makes the one a replica of the other, without a wait for a third; returns when it has all that the other has."""
    tell(primary, "CONFIG", "SET", "repl-diskless-sync-delay", 0)
    tell(server, "CONFIG", "SET", "masterauth", primary.password)
    tell(server, "REPLICAOF", LOOPBACK, primary.port)
    wait_for_sync(server, primary)


def wait_for_sync(server: Valkey, primary: Valkey) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ours, theirs = replication(server), replication(primary)
        if ours.get("master_link_status") == "up" and ours["slave_repl_offset"] == theirs["master_repl_offset"]:
            return
        time.sleep(0.05)
    raise AssertionError("the replica did not catch up")


def tell(server: Valkey, *command: str | int) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command(*command)


def replication(server: Valkey) -> dict[str, Any]:
    with redis.Redis.from_url(server.url) as client:
        found: dict[str, Any] = client.info("replication")
        return found


class TestFailover:
    def test_a_replica_that_lags_is_right_at_once_when_promoted(self, primary: Valkey, replica: Valkey) -> None:
        town = Town()
        wait_for_sync(replica, primary)
        tell(replica, "REPLICAOF", LOOPBACK, free_port())
        town.change()
        work_off_everything()
        tell(replica, "REPLICAOF", "NO", "ONE")
        assert holds(replica, TWEET_BYTES.key(town.doomed)), "it lags"
        with timeline_redis_at(replica.url):
            town.assert_right()

    def test_a_fill_from_before_a_failover_does_not_land(self, primary: Valkey, replica: Valkey) -> None:
        author = new_person()
        tweet = post(author)
        forget(tweet)
        wait_for_sync(replica, primary)
        tell(replica, "REPLICAOF", LOOPBACK, free_port())
        with ExitStack() as moved:

            def fail_over() -> None:
                delete_tweet(tweet_id=tweet, viewer=viewer(author))
                tell(replica, "REPLICAOF", "NO", "ONE")
                moved.enter_context(timeline_redis_at(replica.url))

            with after(tweet_store(), "get_many", fail_over):
                shown(tweet)
            assert shown(tweet) == []

    def test_nothing_is_read_from_a_replica(self, primary: Valkey, replica: Valkey) -> None:
        with timeline_redis_at(replica.url), pytest.raises(Unavailable):
            timeline_node().round_trip(("GET", generation_key(0)))

    def test_nothing_is_read_from_a_former_primary_either(self, primary: Valkey, replica: Valkey) -> None:
        """Its data still name it, until the new primary's have arrived."""
        tell(replica, "REPLICAOF", "NO", "ONE")
        generations.begin(timeline_node())
        tell(primary, "REPLICAOF", LOOPBACK, free_port())
        with timeline_redis_at(primary.url), pytest.raises(Unavailable):
            timeline_node().round_trip(("GET", generation_key(0)))

    def test_connections_to_a_server_that_becomes_a_replica_end_with_the_first_write(
        self, primary: Valkey, replica: Valkey
    ) -> None:
        timeline_node().round_trip(("SET", "old", b"1"))
        tell(primary, "REPLICAOF", LOOPBACK, free_port())
        for command in (("SET", "new", b"1"), ("GET", "old")):
            with pytest.raises(Unavailable):
                timeline_node().round_trip(command)
