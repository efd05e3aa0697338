"""Orders that notify: what they may say, whom they are of, and what a worker does of them."""

from unittest.mock import patch

import pytest

from accounts.graph import announcing, follows
from accounts.graph.notifications import (
    CODES,
    KIND,
    NOTIFY_ORDER,
    NotificationType,
    follow_request_order,
    notify_order,
)
from fanout.delivery import notifying
from fanout.orders import handlers
from fanout.orders.kinds import PoisonedOrder
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.ports.ranges import Range
from storage.stores import ids, notices, outbox
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
            notifying.notify(order)
        for each in people[:told]:
            [notice] = notices().newest(each.id, [KIND[NotificationType.MENTION]], Range(None, None, 1))
            assert (notice.subject, notice.place) == (order.args[1], order.id)
        return len(redis), len(store)

    cost(9)  # all accounts are known from here on
    first = cost(1)
    redis, store = cost(9)
    assert redis <= first[0] <= 2, "accounts, and telling"
    if product == "cassandra":
        assert store <= first[1] <= 3, "who hides whom, the notices, and the order's end"


def test_while_redis_is_away_the_order_stays_open_and_the_notice_stands() -> None:
    actor, person = new_person(), new_person()
    order = notify_order(actor.id, new_id(), [(NotificationType.LIKE, person.id)])
    assert order is not None
    outbox().add(order)
    with timeline_redis_down(), pytest.raises(Unavailable):
        notifying.notify(order)
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
