"""Large authors' orders: handed out in parts, in tasks of bounded work, recorded when they have ended.

Real workers do it in tests/e2e/test_large_authors.py; here one step at a time.
"""

import random
from collections.abc import Iterable
from unittest.mock import patch

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from accounts.graph import follows
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from fanout import tasks
from fanout.delivery import celebrities, fan_out, pushing
from fanout.orders import handlers
from fanout.timelines import builds, materialised
from fanout.timelines.snapshots import PushSnapshot
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import Change, bucket_of
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from storage.stores import associations, outbox
from tests.backends import counted_round_trips, counted_store_calls
from tests.ids import new_id
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.work import open_orders, work_off_everything, work_off_wholly

pytestmark = pytest.mark.usefixtures("product")


def followed_by_active(author: User, count: int) -> list[User]:
    """New followers of the author, whose timelines are there."""
    readers = [new_person() for _ in range(count)]
    for reader in readers:
        follows.follow(reader.id, author.id)
        home(reader)
    return readers


def make_active(readers: Iterable[User]) -> None:
    """Gives them an empty timeline, as one has who follows nobody who has tweeted."""
    for reader in readers:
        build = builds.open_build(reader.id)
        assert build is not None
        assert builds.finish_build(build, [], floor=0)


def push_at_once(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IN_ONE_TRIP", "PUSHED_AT_ONCE"):
        monkeypatch.setattr(pushing, name, readers)


def test_each_bucket_is_a_part_and_the_last_part_ends_the_order() -> None:
    author = new_person()
    early, late = [new_person() for _ in range(6)], [new_person() for _ in range(10)]
    for reader in early:
        follows.follow(reader.id, author.id)
    associations().grow(author.id, FOLLOW, 2)
    for reader in late:
        follows.follow(reader.id, author.id)
    readers = [*early, *late]
    for reader in [*readers, author]:
        home(reader)
    work_off_everything()
    tweet = post(author)
    [order] = open_orders()
    parts: list[tuple[int, int]] = []
    with patch.object(fan_out, "enqueue_part", lambda order, part, of, **_: parts.append((part, of))):
        handlers.work_off(order)
    assert sorted(parts) == [(part, 4) for part in range(4)]
    dice = random.Random(1)
    for number, (part, of) in enumerate(dice.sample(parts, 4)):
        assert open_orders() == [order], f"still open after {number} parts"
        fan_out.work_off_part(order, part, of)
    assert open_orders() == []
    assert all(home(reader) == [tweet] for reader in [*readers, author])
    for part, of in parts:
        fan_out.work_off_part(order, part, of)
    assert all(home(reader) == [tweet] for reader in readers), "a repeated part shows nothing twice"


def test_an_order_sent_again_hands_out_only_what_is_missing() -> None:
    author = new_person()
    associations().grow(author.id, FOLLOW, 2)
    post(author)
    [order] = open_orders()
    fan_out.work_off_part(order, 1, 4)
    parts: list[int] = []
    with patch.object(fan_out, "enqueue_part", lambda order, part, of, **_: parts.append(part)):
        handlers.work_off(order)
    assert parts == [0, 2, 3]
    with patch.object(fan_out, "_push_pages") as pushed:
        fan_out.work_off_part(order, 1, 4)
    pushed.assert_not_called()


def test_parts_of_a_repetition_that_saw_more_buckets_do_not_end_the_order() -> None:
    """Sent at level 1, part 1 failed, the author grew, part 2 of 4 ran, part 0 of 2 came again."""
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    post(author)
    [order] = open_orders()
    for part, parts in ((0, 2), (2, 4), (0, 2)):
        fan_out.work_off_part(order, part, parts)
    assert open_orders() == [order]
    fan_out.work_off_part(order, 1, 2)
    assert open_orders() == []


def test_an_author_of_one_page_is_worked_off_at_once_and_a_larger_one_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 3)
    author = new_person()
    readers = followed_by_active(author, 2)
    tweet = post(author)
    [order] = open_orders()
    assert work_off_wholly(order) == 1
    assert open_orders() == []
    readers += followed_by_active(author, 1)
    later = post(author)
    [order] = open_orders()
    assert work_off_wholly(order) == 2, "a full page: there may be more"
    assert open_orders() == []
    assert all(home(reader) == [later, tweet] for reader in [*readers, author])


def test_a_task_pushes_to_so_many_pages_and_leaves_the_rest_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(fan_out, "PAGES_A_TASK", 3)
    author = new_person()
    readers = followed_by_active(author, 17)
    tweet = post(author)
    [order] = open_orders()
    read: list[int] = []
    page = follows.follower_page

    def follower_page(author_id: int, bucket: int, after: int, limit: int) -> list[int]:
        found = page(author_id, bucket, after, limit)
        read.append(len(found))
        return found

    monkeypatch.setattr(follows, "follower_page", follower_page)
    monkeypatch.setattr(celebrities, "reconsider", lambda *_, **__: None)
    assert work_off_wholly(order) == 4
    assert read == [2, *[2] * 3, *[2] * 3, 2, 1], "one page, then three a task"
    assert open_orders() == []
    assert all(in_redis(reader) == [tweet] for reader in readers)


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

    def push_and_lose(entry_id: int, shards: dict[int, list[int]], snapshot: PushSnapshot) -> None:
        if len(taken) == 1:
            timeline_node().round_trip(("FLUSHALL",))
            make_active(readers)
        taken.append(False)
        push(entry_id, shards, snapshot)
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

    def push_or_fail(entry_id: int, shards: dict[int, list[int]], snapshot: PushSnapshot) -> None:
        if any(readers[3].id in of_shard for of_shard in shards.values()):
            raise Unavailable("redis_timelines")
        push(entry_id, shards, snapshot)

    with patch.object(pushing, "_deliver_slice", push_or_fail), pytest.raises(Unavailable):
        handlers.work_off(order)
    assert open_orders() == [order]


def test_a_part_that_was_lost_half_way_begins_anew_and_shows_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(fan_out, "PAGES_A_TASK", 1)
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    readers = followed_by_active(author, 12)
    tweet = post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part") as left:
        fan_out.work_off_part(order, 0, 2)
    left.assert_called_once()
    assert outbox().finished_parts(order.id) == set()
    fan_out.work_off_part(order, 1, 2, after=MAX_ID - 1)
    assert outbox().finished_parts(order.id) == {1}, "whose task came to the end of the bucket"
    assert open_orders() == [order]
    work_off_wholly(order)
    assert open_orders() == []
    in_first = {reader.id for reader in readers if bucket_of(reader.id, 1) == 0}
    for reader in readers:
        assert in_redis(reader) == ([tweet] if reader.id in in_first else [])


def test_an_order_whose_rest_the_broker_does_not_take_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    author = new_person()
    followed_by_active(author, 5)
    post(author)
    [order] = open_orders()
    with (
        patch("fanout.orders.dispatch.current_app.send_task", side_effect=OperationalError),
        pytest.raises(Unavailable),
    ):
        handlers.work_off(order)
    assert open_orders() == [order]


def test_a_part_whose_next_task_waits_is_not_handed_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(fan_out, "PAGES_A_TASK", 1)
    author = new_person()
    followed_by_active(author, 7)
    post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part") as enqueued:
        handlers.work_off(order)
        after = enqueued.call_args.kwargs["after"]
        tasks.work_part(order.id, order.kind, 0, 1, after=after)
        assert enqueued.call_count == 2, "the part, and what is left of it"
        handlers.work_off(order, resent=True)
        assert enqueued.call_count == 2


def test_parts_that_the_broker_did_not_take_are_handed_out_at_the_next_try() -> None:
    author = new_person()
    associations().grow(author.id, FOLLOW, 2)
    post(author)
    [order] = open_orders()
    taken: list[int] = []

    def takes_one(_order: Order, part: int, _parts: int, **_: int) -> None:
        if taken:
            raise Unavailable("redis_broker")
        taken.append(part)

    with patch.object(fan_out, "enqueue_part", takes_one), pytest.raises(Unavailable):
        handlers.work_off(order)
    with patch.object(fan_out, "enqueue_part") as enqueued:
        handlers.work_off(order)
    assert (taken, [call.args[1] for call in enqueued.call_args_list]) == ([0], [1, 2, 3])


@pytest.mark.parametrize("error", [Unavailable("redis_timelines"), ValueError("a bug")], ids=["outage", "fault"])
def test_a_part_that_failed_is_handed_out_at_the_next_try(error: Exception) -> None:
    """Though its claim would have lasted for longer."""
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part") as enqueued:
        handlers.work_off(order)
        with patch.object(fan_out, "_push_pages", side_effect=error):
            tasks.work_part(order.id, order.kind, 1, 2)
        handlers.work_off(order, resent=True)
    assert [call.args[1] for call in enqueued.call_args_list] == [0, 1, 1]


def test_followers_in_a_bucket_that_appeared_after_handing_out_have_the_tweet() -> None:
    """They are in none of the parts: following made their timeline outdated, and its rebuild pulls."""
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    stayed = followed_by_active(author, 6)
    new, returned = new_person(), stayed[0]
    home(new)
    tweet = post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part"):
        handlers.work_off(order)
    associations().grow(author.id, FOLLOW, 6)
    follows.unfollow(returned.id, author.id)
    for reader in (new, returned):
        follows.follow(reader.id, author.id)
    for part in range(2):
        fan_out.work_off_part(order, part, 2)
    assert order not in open_orders()
    assert in_redis(new) is None, "outdated"
    for reader in (*stayed, new):
        assert home(reader) == [tweet]
        assert in_redis(reader) == [tweet]


def test_a_tweet_reaches_a_thousand_followers_in_so_many_round_trips() -> None:
    """One snapshot, one page, one push; in the store mode, level, the open order, the page and the mark."""
    author = new_person()
    for _ in range(20):
        ops = [new_id() for _ in range(50)]
        associations().apply([Change(op, FOLLOW, author.id, op, present=True) for op in ops])
    readers = follows.follower_page(author.id, 0, 0, 2_000)
    assert len(readers) == 1_000
    for reader in readers[:20]:
        build = builds.open_build(reader)
        assert build is not None
        assert builds.finish_build(build, [], floor=0)
    tweet = post(author)
    [order] = open_orders()
    with counted_round_trips() as trips, counted_store_calls() as calls:
        handlers.work_off(order)
    assert len(trips) == 2
    scripts = [command for command in trips[1] if command[0] == "EVALSHA"]
    assert len(scripts) == settings.TIMELINE_SHARDS
    assert len(calls) == 5 or settings.STORE == "embedded"
    for reader in readers[:20]:
        [window] = timeline_node().ask(materialised.read(reader, count=10))
        assert window is not None
        assert window.ids == [tweet]
