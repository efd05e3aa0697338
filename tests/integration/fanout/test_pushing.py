"""Pages of followers, pushed in slices under one snapshot; what a tweet to a thousand costs in round trips."""

from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings

from accounts.graph import following
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from fanout import tasks
from fanout.delivery import pushing
from fanout.orders import handlers
from fanout.orders.kinds import DELIVER
from fanout.timelines import builds, materialised
from storage.errors import Unavailable
from storage.ports.associations import Change
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from storage.stores import associations
from tests.backends import counted_round_trips, counted_store_calls
from tests.ids import new_id
from tests.integration.fanout.followers import followed_by_active
from tests.integration.tweeting import in_redis, post
from tests.people import new_person
from tests.work import open_orders

pytestmark = pytest.mark.usefixtures("product")


def make_active(readers: Iterable[User]) -> None:
    """Gives them an empty timeline, as one has who follows nobody who has tweeted."""
    for reader in readers:
        build = builds.open_build(reader.id)
        assert build is not None
        assert builds.finish_build(build, [], floor=0)


def push_at_once(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IN_ONE_TRIP", "PUSHED_AT_ONCE"):
        monkeypatch.setattr(pushing, name, readers)


def test_a_page_is_pushed_a_few_followers_at_a_time_under_one_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    push_at_once(3, monkeypatch)
    author = new_person()
    readers = followed_by_active(author, 7)
    tweet = post(author)
    [order] = open_orders()
    with counted_round_trips() as trips:
        handlers.work_off(order)
    assert len(trips) == 4, "the snapshot, and three pushes: the author goes with the first"
    assert open_orders() == []
    assert all(in_redis(reader) == [tweet] for reader in readers)


def test_slices_hold_everybody_once_by_shard_and_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    push_at_once(10, monkeypatch)
    readers = [new_id() for _ in range(137)]
    found = list(pushing.slices(readers))
    assert [sum(map(len, shards.values())) for shards in found] == [10] * 13 + [7]
    assert sorted(each for shards in found for of_shard in shards.values() for each in of_shard) == sorted(readers)
    assert all(
        timeline_shard(each) == shard for shards in found for shard, of_shard in shards.items() for each in of_shard
    )
    assert list(pushing.slices([])) == []
    monkeypatch.setattr(pushing, "IN_ONE_TRIP", 137)
    assert len(list(pushing.slices(readers))) == 1


def test_a_page_whose_snapshot_is_stale_half_way_is_read_and_pushed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    push_at_once(2, monkeypatch)
    author = new_person()
    readers = followed_by_active(author, 5)
    tweet = post(author)
    [order] = open_orders()
    push, taken = pushing._deliver_slice, list[bool]()

    def push_and_lose(what: pushing._Pushing, shards: dict[int, list[int]], to_all: Any) -> None:
        if len(taken) == 1:
            timeline_node().round_trip(("FLUSHALL",))
            make_active(readers)
        taken.append(False)
        push(what, shards, to_all)
        taken[-1] = True

    with patch.object(pushing, "_deliver_slice", push_and_lose):
        handlers.work_off(order)
    assert taken == [True, False, True, True, True], "the second slice came too late: all of them again"
    assert open_orders() == []
    assert all(in_redis(reader) == [tweet] for reader in readers)


def test_a_slice_that_redis_does_not_take_leaves_the_order_open(monkeypatch: pytest.MonkeyPatch) -> None:
    push_at_once(2, monkeypatch)
    author = new_person()
    readers = followed_by_active(author, 7)
    post(author)
    [order] = open_orders()
    push = pushing._deliver_slice

    def push_or_fail(what: pushing._Pushing, shards: dict[int, list[int]], to_all: Any) -> None:
        if any(readers[3].id in of_shard for of_shard in shards.values()):
            raise Unavailable("redis_timelines")
        push(what, shards, to_all)

    with patch.object(pushing, "_deliver_slice", push_or_fail), pytest.raises(Unavailable):
        handlers.work_off(order)
    assert open_orders() == [order]


def test_a_tweet_reaches_a_thousand_followers_in_so_many_round_trips() -> None:
    """The snapshot in two commands; one page, one push. Of the store it waits twice, and the mark goes behind."""
    author = new_person()
    for _ in range(20):
        ops = [new_id() for _ in range(50)]
        associations().apply([Change(op, FOLLOW, author.id, op, present=True) for op in ops])
    readers = following.follower_page(author.id, 0, 0, 2_000)
    assert len(readers) == 1_000
    for reader in readers[:20]:
        build = builds.open_build(reader)
        assert build is not None
        assert builds.finish_build(build, [], floor=0)
    tweet = post(author)
    [order] = open_orders()
    with counted_round_trips() as trips, counted_store_calls() as calls:
        tasks.work_order(order.id, order.kind, args=order.args)
    assert len(trips) == 2
    assert [command[0] for command in trips[0]] == ["MGET", "TIME"] or timeline_node().is_cluster
    scripts = [command for command in trips[1] if command[0] == "EVALSHA"]
    assert len(scripts) == settings.TIMELINE_SHARDS
    if settings.STORE == "cassandra":
        level, mode, order_itself, page = calls
        assert (level, mode) == ("execute_soon", "execute_all"), "side by side"
        assert (order_itself, page) == ("execute_soon", "execute"), "side by side, after the snapshot"
    assert open_orders() == [], "the mark goes behind, with others'"
    for reader in readers[:20]:
        [window] = timeline_node().ask(materialised.read(reader, count=10))
        assert window is not None
        assert window.ids == [tweet]


def test_a_page_of_a_thousand_followers_costs_two_redis_round_trips() -> None:
    author = new_person()
    readers = list(range(1, 1_001))
    post(author)
    [order] = [order for order in open_orders() if order.kind == DELIVER]
    with patch.object(following, "follower_page", side_effect=[readers]), counted_round_trips() as trips:
        handlers.work_off(order)
    assert len(trips) == 2, "the snapshot, and the push"
