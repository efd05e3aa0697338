"""Fan-out while a node of the timelines' cluster is down: as quick as ever for all others."""

from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import follows
from fanout.live import channel
from fanout.live.presence import Presence
from fanout.orders import handlers
from fanout.timelines import snapshots
from fanout.timelines.materialised import timeline_key
from storage.errors import Unavailable
from storage.redis import generations
from storage.redis.node import RedisNode, timeline_node
from tests.cluster import timelines_at
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.valkey_cluster import ValkeyCluster
from tests.work import open_orders

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


def test_a_dead_node_costs_no_round_trip_and_its_followers_alone_wait() -> None:
    """It dies before the snapshot is taken, and in the next attempt between the snapshot and the push."""
    with ValkeyCluster() as cluster, timelines_at(cluster.url):
        generations.begin(timeline_node())
        author, readers = new_person(), [new_person() for _ in range(30)]
        for reader in readers:
            follows.follow(reader.id, author.id)
            home(reader)
        dead = cluster.primaries[0]
        elsewhere = [each for each in readers if cluster.primary_of(timeline_key(each.id)) is not dead]
        assert 1 < len(elsewhere) < len(readers)
        Presence().appear([elsewhere[0].id])
        tweet = post(author)
        [order] = open_orders()
        alive = snapshots.take_snapshot()
        cluster.replicas[0].kill()
        dead.kill()
        sent: list[list[tuple[Any, ...]]] = []
        original = RedisNode.round_trip

        def counted(node: RedisNode, *commands: tuple[Any, ...]) -> list[Any]:
            sent.append(list(commands))
            return original(node, *commands)

        with patch.object(RedisNode, "round_trip", counted):
            for attempt in ("known to be dead", "dies now"):
                taken = alive if attempt == "dies now" else snapshots.take_snapshot()
                sent.clear()
                with patch.object(snapshots, "take_snapshot", return_value=taken), pytest.raises(Unavailable):
                    handlers.work_off(order)
                pushes = [trip for trip in sent if any(each[0] == "EVALSHA" for each in trip)]
                told = [each for trip in sent for each in trip if each == channel.came_command(tweet)]
                published = [each for trip in sent for each in trip if each[0] == channel.publishing()]
                assert [len(pushes), len(told), len(published)] == [1, 1, 1], attempt
        assert [in_redis(each) for each in elsewhere] == [[tweet]] * len(elsewhere)
        assert open_orders() == [order]
