"""Messages of several orders that waited for their broker: each is attempted by itself, as if it had come alone."""

from unittest.mock import patch

import pytest

from fanout import tasks
from fanout.delivery import pushing
from fanout.orders import figures, sweeper
from fanout.orders.queues import FANOUT
from storage.ports.outbox import Order
from storage.stores import outbox
from tests.backends import counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.fanout.attempting import attempts_at, failing, planted, working
from tests.integration.fanout.followers import followed_by_active
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import in_redis, post, viewer
from tests.people import new_person
from tests.work import open_orders
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("nothing_to_take_back", "product")


def work(*orders: Order, redelivered: bool = False) -> None:
    """As a worker does that got them in one message."""
    with patch.object(tasks, "_redelivered", return_value=redelivered):
        tasks.work_orders(orders[0].id, orders[0].kind, orders=[(each.id, *each.args) for each in orders])


def test_each_is_delivered_but_what_was_deleted_meanwhile() -> None:
    author = new_person()
    [reader] = followed_by_active(author, 1)
    tweets = [post(author) for _ in range(3)]
    orders = open_orders()
    delete_tweet(tweet_id=tweets[1], viewer=viewer(author))
    work(*orders)
    assert in_redis(reader) == [tweets[2], tweets[0]]
    [retraction] = open_orders()
    assert retraction.args[0] == tweets[1]


def test_none_is_looked_up_before_it_is_attempted() -> None:
    """One costs the store what it does alone; the mark goes behind."""
    author = new_person()
    post(author)
    [alone] = open_orders()
    with counted_store_calls() as of_one:
        tasks.work_order(alone.id, alone.kind, args=alone.args)
    for _ in range(3):
        post(author)
    orders = open_orders()
    with counted_store_calls() as of_three:
        work(*orders)
    assert len(of_three) == 3 * len(of_one)


def test_one_that_is_at_fault_holds_up_no_other() -> None:
    author = new_person()
    [reader] = followed_by_active(author, 1)
    tweets = [post(author) for _ in range(2)]
    first, last = open_orders()
    wrong = planted(first.kind, (1,))
    work(first, wrong, last)
    assert in_redis(reader) == tweets[::-1]
    assert open_orders() == [wrong]
    [attempt] = attempts_at(wrong)
    assert str(attempt.error).startswith("PoisonedOrder")


def test_what_a_backend_keeps_waiting_is_let_be_sent() -> None:
    post(new_person())
    post(new_person())
    orders = open_orders()
    with timeline_redis_down(), patch.object(sweeper, "let_be_sent") as let_be_sent:
        work(*orders)
    assert open_orders() == orders
    assert [each.args for each in let_be_sent.call_args_list] == [(order.id,) for order in orders]
    assert [attempts_at(each) for each in orders] == [[], []]


@on_one_store
def test_what_may_have_killed_a_worker_is_put_on_record_before_it_is_attempted_again() -> None:
    order, records = planted("deliver", (new_id(), 1)), list[int]()
    with working(lambda each: records.append(len(attempts_at(each)))):
        work(order, redelivered=True)
        work(order)
    assert records == [1, 0], "the second time it was its writer's message"


@on_one_store
def test_none_is_worked_off_at_once_with_others_whose_kind_goes_alone() -> None:
    order = planted("deliver", (new_id(), 1))
    with patch.object(tasks, "_are_done_together", side_effect=AssertionError("they do not go together")):
        work(order)


@on_one_store
def test_a_message_counts_as_one_as_it_does_in_the_length_of_its_queue() -> None:
    orders = [planted("deliver", (new_id(), 1)) for _ in range(3)]
    with working(failing(ValueError("whatever"))), patch.object(figures, "count_worked") as counted:
        work(*orders)
    assert [each.args for each in counted.call_args_list] == [(FANOUT,)]
    assert [len(attempts_at(each)) for each in orders] == [1, 1, 1]


@on_one_store
def test_what_a_message_has_no_time_for_the_sweeper_may_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ONE_BY_ONE_SECONDS", -1.0)
    orders = [planted("deliver", (new_id(), 1)) for _ in range(2)]
    with patch.object(sweeper, "let_be_sent") as let_be_sent, patch.object(pushing, "deliver") as delivered:
        work(*orders)
    let_be_sent.assert_called_once_with(*(each.id for each in orders))
    delivered.assert_not_called()
    assert [outbox().open_order(each.id) for each in orders] == orders
