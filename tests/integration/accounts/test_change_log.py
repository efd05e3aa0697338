"""The log of changed accounts on a cluster: no node answers all pages, and a dead one takes memory from nobody."""

from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction

from accounts.account_cache import accounts, change_log
from accounts.account_cache.accounts import ACCOUNTS, heard, tell_of_change
from accounts.account_cache.change_log import COPIES, OwnCopy, log_key, log_shards, own_copy, recent_changes
from accounts.account_cache.changes import note_change
from storage.redis import generations
from storage.redis.node import RedisNode, timeline_node
from storage.redis.shards import user_tag
from tests.cluster import on_one_server, timelines_at
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, seen
from tests.people import new_person
from tests.valkey_cluster import ValkeyCluster

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@on_one_server
def test_one_server_has_one() -> None:
    assert list(log_shards()) == [0] == [OwnCopy().shard]


def test_each_copy_is_told_and_each_process_reads_one_that_answers() -> None:
    with ValkeyCluster() as cluster, timelines_at(cluster.url):
        generations.begin(timeline_node())
        person = new_person()
        sent: list[tuple[tuple[Any, ...], ...]] = []
        original = RedisNode.round_trip

        def noted(node: RedisNode, *commands: tuple[Any, ...]) -> list[Any]:
            sent.append(commands)
            return original(node, *commands)

        with patch.object(RedisNode, "round_trip", noted):
            for change in (note_change, tell_of_change):
                sent.clear()
                with transaction.atomic():
                    change(person.id)
                guards = [at for at, trip in enumerate(sent) if any(ACCOUNTS.key(person.id) in each for each in trip)]
                logs = [at for at, trip in enumerate(sent) if any(log_key(0) in each for each in trip)]
                assert max(guards) < min(logs), "another node may hear the log before"
        told = [timeline_node().ask(recent_changes(shard))[0] or {} for shard in log_shards()]
        assert [list(each) for each in told] == [[person.id]] * len(log_shards())
        assert len({each[person.id] for each in told}) == 1, "of one time, whichever is read"
        chosen = {OwnCopy().shard for _ in range(1_000)}
        assert chosen == set(log_shards())
        assert len({cluster.primary_of(log_key(shard)).port for shard in chosen}) == len(cluster.primaries)

        dead = cluster.primary_of(log_key(own_copy.shard))
        alive = [
            each for each in (new_person() for _ in range(40)) if cluster.primary_of(user_tag(each.id)) is not dead
        ]
        tweet, reader = post(alive[0]), alive[1]
        of_dead = {shard for shard in log_shards() if cluster.primary_of(log_key(shard)) is dead}
        cluster.replicas[cluster.primaries.index(dead)].kill()
        dead.kill()
        for _ in range(50):
            if own_copy.shard in of_dead:
                seen(tweet, reader)
        assert own_copy.shard not in of_dead
        seen(tweet, reader)
        with patch.object(accounts, "_fetch", side_effect=AssertionError("asked again")):
            seen(tweet, reader)


def test_a_copy_that_was_not_heard_along_with_something_else_is_left_as_well() -> None:
    with patch.object(change_log, "log_shards", lambda: range(COPIES)):
        read = set[int]()
        for _ in range(50):
            read.add(own_copy.shard)
            assert heard().decode(None, None).changes is None
    assert len(read) > 1
