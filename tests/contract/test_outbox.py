"""The outbox port: nothing that is open is ever forgotten, nothing done comes back."""

import itertools
import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from storage.ids.snowflakes import EPOCH_US, MAX_ID, id_minute, id_us, make_id, now_us, spread
from storage.ports.outbox import GRACE_US, SHARDS, UNREAD_US, Order, Outbox
from tests.ids import new_id
from tests.threads import run_together

MINUTE_US = 60_000_000


def some_order(order_id: int | None = None) -> Order:
    return Order(id=order_id or new_id(), kind="fan_out", args=(new_id(), 0))


def open_ids(outbox: Outbox, *, before: int = MAX_ID, limit: int = 1000) -> list[int]:
    return [order.id for order in outbox.open_orders(before=before, limit=limit)]


def closed_now(order_id: int) -> int:
    """A moment at which the order's minute has just closed."""
    return (id_minute(order_id) + 1) * MINUTE_US + GRACE_US


def test_empty(outbox: Outbox) -> None:
    assert outbox.open_orders(before=MAX_ID, limit=10) == []
    assert outbox.oldest_open() is None
    assert outbox.discard_closed(now_us=now_us()) == 0


@pytest.mark.parametrize("args", [(), (1,), (MAX_ID, 0, 5), (7, 7)])
def test_an_order_comes_back_as_it_was_written(outbox: Outbox, args: tuple[int, ...]) -> None:
    order = Order(id=new_id(), kind="доставка", args=args)
    outbox.add(order)
    assert outbox.open_orders(before=MAX_ID, limit=10) == [order]
    assert outbox.oldest_open() == order.id


def test_adding_twice_is_adding_once(outbox: Outbox) -> None:
    order = some_order()
    outbox.add(order)
    outbox.add(order)
    assert outbox.open_orders(before=MAX_ID, limit=10) == [order]


@pytest.mark.parametrize("shards", [[3], [1, 5, 6], range(SHARDS), []])
def test_open_orders_of_some_shards(outbox: Outbox, shards: list[int]) -> None:
    ids = sorted(new_id() for _ in range(60))
    for each in ids:
        outbox.add(some_order(each))
    own = [each for each in ids if spread(each, SHARDS) in shards]
    assert [order.id for order in outbox.open_orders(before=MAX_ID, limit=100, shards=shards)] == own
    after = own[0] if own else 0
    found = outbox.open_orders(after=after, before=MAX_ID, limit=2, shards=shards)
    assert [order.id for order in found] == own[1:3]


def test_open_orders_oldest_first_below_before_up_to_limit(outbox: Outbox) -> None:
    """Over all shards and three minutes, one of them long ago."""
    now = now_us()
    moments = [now - 9_000 * MINUTE_US, now - MINUTE_US, now]
    ids = sorted(make_id(moment + step * 1_001, 1) for moment in moments for step in range(12))
    assert len({spread(each, SHARDS) for each in ids}) == SHARDS
    for each in random.Random(5).sample(ids, len(ids)):
        outbox.add(some_order(each))
    assert open_ids(outbox) == ids
    assert open_ids(outbox, limit=36) == ids
    assert open_ids(outbox, limit=35) == ids[:35]
    assert open_ids(outbox, limit=1) == ids[:1]
    assert open_ids(outbox, before=ids[20]) == ids[:20]
    assert open_ids(outbox, before=ids[0]) == []
    assert outbox.oldest_open() == ids[0]


def test_a_done_order_is_not_open(outbox: Outbox) -> None:
    first, second = some_order(), some_order()
    outbox.add(first)
    outbox.add(second)
    for _ in range(2):
        outbox.mark_done(first.id)
        assert open_ids(outbox) == [second.id]
        assert outbox.oldest_open() == second.id


def test_an_order_marked_done_before_it_is_visible_stays_done(outbox: Outbox) -> None:
    order = some_order()
    outbox.mark_done(order.id)
    assert open_ids(outbox) == []
    assert outbox.oldest_open() is None
    outbox.add(order)
    assert open_ids(outbox) == []


def test_a_repeated_add_does_not_open_a_done_order(outbox: Outbox) -> None:
    order = some_order()
    outbox.add(order)
    outbox.mark_done(order.id)
    outbox.add(order)
    assert open_ids(outbox) == []


def test_an_order_is_open_from_its_writing_until_it_is_done(outbox: Outbox) -> None:
    order = some_order()
    assert outbox.open_order(order.id) is None
    outbox.add(order)
    assert outbox.open_order(order.id) == order
    outbox.mark_done(order.id)
    assert outbox.open_order(order.id) is None
    unwritten = new_id()
    outbox.mark_done(unwritten)
    assert outbox.open_order(unwritten) is None


def test_an_order_may_be_asked_for_and_waited_for_later(outbox: Outbox) -> None:
    order, done, unwritten = some_order(), some_order(), new_id()
    for each in (order, done):
        outbox.add(each)
    outbox.mark_done(done.id)
    asked = [outbox.open_order_soon(each) for each in (order.id, done.id, unwritten)]
    assert open_ids(outbox) == [order.id]
    assert [wait() for wait in asked] == [order, None, None]


@pytest.mark.parametrize(
    ("read", "without_any"),
    [
        (lambda outbox, order: outbox.open_order(order.id), None),
        (lambda outbox, order: outbox.open_order_soon(order.id)(), None),
        (lambda outbox, order: outbox.finished_order(order.id), None),
        (lambda outbox, order: outbox.finish_orders([order.id]), set()),
        (lambda outbox, order: outbox.open_orders(before=MAX_ID, limit=10), []),
        (lambda outbox, order: outbox.count_open(limit=10), 0),
        (lambda outbox, order: outbox.oldest_open(), None),
    ],
)
def test_a_mark_that_nobody_waited_for_is_seen_by_whoever_reads_next(
    outbox: Outbox, read: Callable[[Outbox, Order], object], without_any: object
) -> None:
    for _ in range(20):
        order = some_order()
        outbox.add(order)
        outbox.mark_done_soon(order.id)
        assert read(outbox, order) == without_any


def test_many_are_marked_at_once(outbox: Outbox) -> None:
    orders = [some_order() for _ in range(130)]
    for order in orders:
        outbox.add(order)
    unwritten = some_order()
    outbox.mark_all_done_soon([*(order.id for order in orders[1:]), unwritten.id])
    assert open_ids(outbox) == [orders[0].id]
    outbox.add(unwritten)
    outbox.mark_all_done_soon([])
    assert open_ids(outbox) == [orders[0].id], "what was marked before its row appeared is done"


def test_the_oldest_open_order_is_of_those_that_are_asked_about(outbox: Outbox) -> None:
    orders = [some_order() for _ in range(3)]
    for order in orders:
        outbox.add(order)
    outbox.mark_done(orders[0].id)
    oldest = [outbox.oldest_open(before=each.id) for each in orders]
    assert oldest == [None, None, orders[1].id]
    assert outbox.oldest_open(before=MAX_ID) == orders[1].id


def test_open_orders_are_counted_up_to_a_limit(outbox: Outbox) -> None:
    assert outbox.count_open(limit=10) == 0
    orders = [some_order() for _ in range(6)]
    for order in orders:
        outbox.add(order)
    outbox.mark_done(orders[2].id)
    assert [outbox.count_open(limit=limit) for limit in (1, 4, 5, 100)] == [1, 4, 5, 5]


def test_adding_and_marking_at_once_ends_done(outbox: Outbox) -> None:
    orders = [some_order() for _ in range(20)]
    calls = [partial(outbox.add, order) for order in orders]
    calls += [partial(outbox.mark_done, order.id) for order in orders]
    run_together(random.sample(calls, len(calls)))
    assert open_ids(outbox) == []


def test_the_last_part_says_so_whoever_it_is(outbox: Outbox) -> None:
    order_id = new_id()
    assert [outbox.mark_part_done(order_id, part, parts=3) for part in (2, 0, 0, 2, 1, 1)] == [
        False,
        False,
        False,
        False,
        True,
        True,
    ]
    assert outbox.mark_part_done(new_id(), 0, parts=1) is True


def test_parts_finished_at_once_are_noticed(outbox: Outbox) -> None:
    for _ in range(3):
        order_id = new_id()
        calls = [partial(outbox.mark_part_done, order_id, part, parts=12) for part in range(12)]
        assert any(run_together(calls))


def test_discard_keeps_a_minute_until_its_grace_is_over(outbox: Outbox) -> None:
    order = some_order(make_id(now_us() - 10 * MINUTE_US - GRACE_US, 1))
    outbox.add(order)
    outbox.mark_done(order.id)
    assert outbox.discard_closed(now_us=closed_now(order.id) - 1) == 0
    assert outbox.discard_closed(now_us=closed_now(order.id) + 2 * MINUTE_US) == 1


def ids_of_shard(shard: int, us: int) -> Iterator[int]:
    """Ids of one minute whose orders share a partition."""
    return (each for each in itertools.count(make_id(us, 1)) if spread(each, SHARDS) == shard)


def test_discard_forgets_what_is_done_and_keeps_what_is_open(outbox: Outbox) -> None:
    """Three closed minutes of one shard; the middle one holds an open order besides a done one."""
    start = id_us(new_id())
    minutes = [next(ids_of_shard(3, start + step * MINUTE_US)) for step in range(3)]
    same_minute = next(each for each in ids_of_shard(3, start + MINUTE_US) if each != minutes[1])
    for each in [*minutes, same_minute]:
        outbox.add(some_order(each))
    for each in [minutes[0], same_minute, minutes[2]]:
        outbox.mark_done(each)
    later = closed_now(minutes[2]) + 10 * MINUTE_US
    assert outbox.discard_closed(now_us=later) == 2
    assert outbox.discard_closed(now_us=later) == 0
    assert open_ids(outbox) == [minutes[1]]
    outbox.mark_done(minutes[1])
    assert outbox.discard_closed(now_us=later) == 1
    assert outbox.oldest_open() is None
    assert outbox.discard_closed(now_us=later) == 0


def test_an_order_written_long_after_its_birth_is_found(outbox: Outbox) -> None:
    """A request repeated next day: its minute, and those around it, have been forgotten."""
    old = [make_id(now_us() - 1_500 * MINUTE_US + step, 1) for step in range(40)]
    by_shard = {spread(each, SHARDS): each for each in old}
    for each in by_shard.values():
        outbox.add(some_order(each))
        outbox.mark_done(each)
    outbox.discard_closed(now_us=now_us())
    late = next(each for each in old if each not in by_shard.values())
    outbox.add(some_order(late))
    assert open_ids(outbox) == [late]
    outbox.discard_closed(now_us=now_us())
    assert outbox.oldest_open() == late


def test_minutes_behind_many_that_are_held_open_are_forgotten_too(outbox: Outbox) -> None:
    """More than one discarding looks at: each has its turn, whatever becomes of the others."""
    start = id_us(new_id()) - 3_000 * MINUTE_US
    held = [next(ids_of_shard(3, start + step * MINUTE_US)) for step in range(130)]
    last = next(ids_of_shard(3, start + 130 * MINUTE_US))
    for each in [*held, last]:
        outbox.add(some_order(each))
    outbox.mark_done(last)
    later = now_us() + 10 * MINUTE_US
    turns = [outbox.discard_closed(now_us=later + turn * MINUTE_US // 2) for turn in range(4)]
    assert sum(turns) == 1
    assert outbox.count_open(limit=1_000) == 130
    for each in held:
        outbox.mark_done(each)
    assert sum(outbox.discard_closed(now_us=later + turn * MINUTE_US // 2) for turn in range(6)) == 130
    assert outbox.oldest_open() is None


def test_a_mark_without_an_order_does_not_hold_a_minute(outbox: Outbox) -> None:
    outbox.mark_done(new_id())
    outbox.discard_closed(now_us=now_us() + 2 * GRACE_US + MINUTE_US)
    assert outbox.oldest_open() is None


def test_shards_share_the_ids_of_one_process_evenly() -> None:
    sizes = [0] * SHARDS
    for step in range(8_000):
        sizes[spread(make_id(EPOCH_US + 1 + step * 977, 9), SHARDS)] += 1
    assert min(sizes) > 800


def ids_between(outbox: Outbox, *, after: int = 0, before: int = MAX_ID, limit: int = 1000) -> list[int]:
    return [order.id for order in outbox.orders_between(after=after, before=before, limit=limit)]


def test_all_orders_between_two_ids_done_or_not_oldest_first(outbox: Outbox) -> None:
    """Over all shards and three minutes, with marks of no order in between, in pages of any size."""
    now = now_us()
    moments = [now - 9_000 * MINUTE_US, now - MINUTE_US, now]
    ids = sorted(make_id(moment + step * 1_001, 1) for moment in moments for step in range(40))
    for number, each in enumerate(random.Random(5).sample(ids, len(ids))):
        outbox.add(some_order(each))
        outbox.mark_done(each + 1)
        outbox.mark_done(each + 2)
        if number % 2:
            outbox.mark_done(each)
    assert ids_between(outbox) == ids
    assert ids_between(outbox, after=ids[3], before=ids[70]) == ids[4:70]
    assert ids_between(outbox, after=ids[-1]) == []
    for limit in (1, 7, 39, 120):
        walked: list[int] = []
        while page := ids_between(outbox, after=walked[-1] if walked else 0, limit=limit):
            assert len(page) == min(limit, len(ids) - len(walked))
            walked += page
        assert walked == ids, limit


def test_an_order_is_read_as_it_was_written(outbox: Outbox) -> None:
    order = Order(id=new_id(), kind="доставка", args=(3, MAX_ID))
    outbox.add(order)
    outbox.mark_done(order.id)
    assert outbox.orders_between(after=order.id - 1, before=order.id + 1, limit=2) == [order]


def test_minutes_that_a_reader_has_not_come_to_stay_for_an_hour(outbox: Outbox) -> None:
    read, unread = make_id(now_us() - 10 * MINUTE_US, 1), new_id()
    for each in (read, unread):
        outbox.add(some_order(each))
        outbox.mark_done(each)
    assert outbox.discard_closed(now_us=closed_now(unread) + MINUTE_US, read_up_to=unread - 1) == 1
    assert ids_between(outbox) == [unread]
    hour_later = closed_now(unread) + UNREAD_US - GRACE_US
    assert outbox.discard_closed(now_us=hour_later - 1, read_up_to=unread - 1) == 0
    assert outbox.discard_closed(now_us=hour_later, read_up_to=unread - 1) == 1
    assert ids_between(outbox) == []
