"""Orders that notify: what they may say, whom they are of, and what a worker does of them."""

import random
from collections.abc import Sequence
from unittest.mock import Mock, patch

import pytest

from accounts.graph import announcing, follows
from accounts.graph.kinds import MUTE
from accounts.graph.notifications import (
    CODES,
    KIND,
    NOTIFY_ORDER,
    NotificationType,
    follow_request_order,
    notify_order,
)
from fanout import tasks
from fanout.delivery import notifying
from fanout.orders import handlers, resending, sweeper
from fanout.orders.kinds import PoisonedOrder
from fanout.tasks import work_orders
from storage.errors import Unavailable
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.ports.ranges import Range
from storage.redis.node import PartlyUnavailable, broker_node
from storage.stores import associations, dead_letters, ids, notices, outbox
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.feed.protected_world import protect
from tests.people import new_person
from tests.work import every_open_order

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)


@on_one_store
@pytest.mark.parametrize("args", [(), (1,), (1, 2), (1, 2, 3), (1, 2, 7, 4, 5), (1, 2, 99, 4), (1, 2, 0, 4)])
def test_other_arguments_are_poison(args: tuple[int, ...]) -> None:
    with pytest.raises(PoisonedOrder):
        handlers.work_off(Order(new_id(), "notify", args))


def test_the_codes_of_types_are_never_others() -> None:
    """Orders that wait in an outbox, and rows, carry them."""
    assert {code: str(each) for code, each in CODES.items()} == {
        1: "follow",
        2: "follow_request",
        3: "mention",
        4: "reply",
        5: "quote",
        6: "retweet",
        7: "like",
    }
    assert {str(each): (kind.name, kind.once) for each, kind in KIND.items()} == {
        "follow": ("follow", False),
        "follow_request": ("follow_request", False),
        "mention": ("mention", True),
        "reply": ("reply", True),
        "quote": ("quote", True),
        "retweet": ("retweet", False),
        "like": ("like", False),
    }


@on_one_store
def test_an_order_is_of_each_once_by_the_first_type_and_never_of_who_did_it() -> None:
    reply, quote, mention = NotificationType.REPLY, NotificationType.QUOTE, NotificationType.MENTION
    order = notify_order(1, 9, [(reply, 2), (quote, 3), (mention, 2), (mention, 1), (mention, 4)], order_id=9)
    assert order == Order(9, "notify", (1, 9, 4, 2, 5, 3, 3, 4))
    assert notify_order(1, 9, [(reply, 1)]) is None
    assert notify_order(1, 9, []) is None
    before = ids.next()
    request = follow_request_order(1, 2)
    assert request is not None
    assert request.id > before
    assert request.args == (1, 0, 2, 2)


def test_many_are_told_for_what_one_costs(product: str) -> None:
    actor, people = new_person(), [new_person() for _ in range(9)]

    def cost(told: int) -> tuple[int, int]:
        order = notify_order(actor.id, new_id(), [(NotificationType.MENTION, each.id) for each in people[:told]])
        assert order is not None
        outbox().add(order)
        with counted_round_trips() as redis, counted_store_calls() as store:
            notifying.notify([order])
        for each in people[:told]:
            [notice] = notices().newest(each.id, [KIND[NotificationType.MENTION]], Range(None, None, 1))
            assert (notice.subject, notice.place) == (order.args[1], order.id)
        return len(redis), len(store)

    cost(9)  # all accounts are known from here on
    first = cost(1)
    redis, store = cost(9)
    assert redis <= first[0] <= 2, "accounts, and telling"
    if product == "cassandra":
        assert store == first[1] == 2, "who hides whom, and the notices"


def test_a_flood_that_came_together_costs_what_one_does(product: str) -> None:
    likers, author, tweet_id = [new_person() for _ in range(40)], new_person(), new_id()

    def cost(count: int) -> tuple[int, int]:
        orders = [like_order(each.id, tweet_id, author.id) for each in likers[:count]]
        for order in orders:
            outbox().add(order)
        with counted_round_trips() as redis, counted_store_calls() as store:
            notifying.notify(orders)
        assert every_open_order() == []
        [notice] = notices().newest(author.id, [KIND[NotificationType.LIKE]], Range(None, None, 9))
        assert (notice.subject, notice.place) == (tweet_id, orders[-1].id)
        return len(redis), len(store)

    cost(40)  # all accounts are known from here on
    first = cost(1)
    redis, store = cost(40)
    assert redis == first[0]
    if product == "cassandra":
        assert store == first[1] == 2, "who hides whom, and the notice"


def test_of_many_each_is_told_of_those_whom_they_do_not_hide_and_of_each_tweet_once() -> None:
    ben, cem, ada, dia = (new_person() for _ in range(4))
    associations().apply([Change(ada.id, MUTE, cem.id, ids.next(), present=True)])
    liked, other = new_id(), new_id()
    orders = [
        like_order(ben.id, liked, ada.id),
        like_order(cem.id, liked, ada.id),
        like_order(cem.id, other, dia.id),
        like_order(ben.id, other, dia.id),
    ]
    for order in orders:
        outbox().add(order)
    notifying.notify(random.sample(orders, 4))
    assert places_of(ada.id, NotificationType.LIKE) == [(liked, orders[0].id)]
    assert places_of(dia.id, NotificationType.LIKE) == [(other, orders[3].id)]
    assert every_open_order() == []


def test_of_what_comes_once_the_first_order_counts_though_they_came_together() -> None:
    ben, ada, tweet_id = new_person(), new_person(), new_id()
    orders = [notify_order(ben.id, tweet_id, [(NotificationType.REPLY, ada.id)]) for _ in range(2)]
    notifying.notify([each for each in orders[::-1] if each])
    assert places_of(ada.id, NotificationType.REPLY) == [(tweet_id, orders[0].id if orders[0] else 0)]


class TestTasksOfMany:
    def test_those_of_a_message_are_done_at_once(self) -> None:
        orders = some_likes(3)
        with patch.object(notifying, "notices", wraps=notices) as used:
            work_orders(*message_of(orders), orders=[(each.id, *each.args) for each in orders])
        assert used.call_count == 1
        assert every_open_order() == []

    def test_one_that_is_at_fault_holds_up_no_other(self) -> None:
        orders = some_likes(3)
        wrong = Order(new_id(), NOTIFY_ORDER, (1, 2))
        outbox().add(wrong)
        together = [orders[0], wrong, *orders[1:]]
        work_orders(*message_of(together), orders=[(each.id, *each.args) for each in together])
        assert every_open_order() == [wrong]
        [attempt] = dead_letters().attempts([wrong.id])[wrong.id]
        assert attempt.error is not None
        assert attempt.error.startswith("PoisonedOrder")

    def test_while_a_backend_is_away_all_stay_open(self) -> None:
        orders = some_likes(3)
        with timeline_redis_down():
            work_orders(*message_of(orders), orders=[(each.id, *each.args) for each in orders])
        assert every_open_order() == orders
        assert dead_letters().attempts([each.id for each in orders]) == {}

    @on_one_store
    def test_where_one_node_of_redis_is_away_only_its_people_wait(self) -> None:
        actor, [there, away] = new_person(), [new_person() for _ in range(2)]
        orders = [like_order(actor.id, new_id(), each.id) for each in (there, away, there)]
        for order in orders:
            outbox().add(order)
        answered: list[object] = [b"OK", 0, TimeoutError(), 0]
        node = Mock(**{"round_trip.side_effect": PartlyUnavailable("redis_timelines", answered)})
        with (
            patch.object(notifying, "timeline_node", return_value=node),
            patch.object(sweeper, "let_be_sent") as let_be_sent,
        ):
            work_orders(*message_of(orders), orders=[(each.id, *each.args) for each in orders])
        assert every_open_order() == [orders[1]]
        assert let_be_sent.call_count == 1

    @on_one_store
    def test_what_a_backend_keeps_waiting_may_be_sent_soon(self) -> None:
        orders = some_likes(2)
        resending.claim(broker_node(), [str(each.id) for each in orders], seconds=resending.TOGETHER_SECONDS)
        with timeline_redis_down():
            work_orders(*message_of(orders), orders=[(each.id, *each.args) for each in orders])
        left = broker_node().round_trip(*(("TTL", f"sent:{each.id}") for each in orders))
        assert [0 < each <= resending.RESEND_SECONDS for each in left] == [True, True]

    @on_one_store
    def test_one_by_one_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tasks, "ONE_BY_ONE_SECONDS", -1.0)
        orders = some_likes(3)
        with patch.object(tasks, "_redelivered", return_value=True):
            work_orders(*message_of(orders), orders=[(each.id, *each.args) for each in orders])
        assert every_open_order() == orders

    @on_one_store
    def test_what_killed_a_worker_is_attempted_one_by_one(self) -> None:
        """So that what kills is found, and becomes a dead letter: each attempt is recorded before it begins."""
        orders = some_likes(3)
        with (
            patch.object(tasks, "_redelivered", return_value=True),
            patch.object(notifying, "notices", wraps=notices) as used,
        ):
            work_orders(*message_of(orders), orders=[(each.id, *each.args) for each in orders])
        assert used.call_count == 3
        assert every_open_order() == []

    @on_one_store
    def test_orders_of_a_kind_that_goes_alone_are_attempted_one_by_one(self) -> None:
        order = Order(new_id(), "unheard of", (1,))
        outbox().add(order)
        work_orders(order.id, order.kind, orders=[(order.id, 1)])
        assert every_open_order() == [order]
        assert [each.error for each in dead_letters().attempts([order.id])[order.id]]


def like_order(liker: int, tweet_id: int, author: int) -> Order:
    order = notify_order(liker, tweet_id, [(NotificationType.LIKE, author)])
    assert order is not None
    return order


def some_likes(count: int) -> list[Order]:
    """Open, oldest first."""
    author = new_person()
    orders = [like_order(new_person().id, new_id(), author.id) for _ in range(count)]
    for order in orders:
        outbox().add(order)
    return orders


def message_of(orders: Sequence[Order]) -> tuple[int, str]:
    return orders[0].id, orders[0].kind


def places_of(person_id: int, kind: NotificationType) -> list[tuple[int, int]]:
    found = notices().newest(person_id, [KIND[kind]], Range(None, None, 9))
    return [(each.subject, each.place) for each in found]


def test_while_redis_is_away_the_order_stays_open_and_the_notice_stands() -> None:
    actor, person = new_person(), new_person()
    order = notify_order(actor.id, new_id(), [(NotificationType.LIKE, person.id)])
    assert order is not None
    outbox().add(order)
    with timeline_redis_down(), pytest.raises(Unavailable):
        notifying.notify([order])
    assert every_open_order() == [order]
    kinds = [KIND[NotificationType.LIKE]]
    before = notices().newest(person.id, kinds, Range(None, None, 9))
    assert [each.place for each in before] == [order.id]
    handlers.work_off(order)
    assert every_open_order() == []
    assert notices().newest(person.id, kinds, Range(None, None, 9)) == before


def test_the_order_of_a_follow_and_of_a_request_is_handed_to_the_workers_at_once() -> None:
    ada, ben = new_person(), new_person()
    sent: list[Order] = []
    with patch.object(announcing, "_send", [sent.append]):
        follows.follow(ben.id, ada.id)
        follows.unfollow(ben.id, ada.id)
        protect(ada)
        follows.follow(ben.id, ada.id)
    assert [each.kind for each in sent] == [NOTIFY_ORDER] * 2
    assert [each.args[2:] for each in sent] == [(1, ada.id), (2, ada.id)]
