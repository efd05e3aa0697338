"""Handing orders on: from memory to the broker, by themselves or together, and what is kept while it is away."""

import threading
import time
from collections.abc import Sequence
from unittest.mock import call, patch

import pytest

from accounts.graph.notifications import NOTIFY_ORDER
from deploy.supervisor.processes import wait_until
from fanout.orders import dispatch, gathering, holding, resending
from fanout.orders.dispatch import Dispatcher, enqueue_bunch, enqueue_together
from fanout.orders.holding import HeldOrders
from fanout.orders.kinds import DELIVER, RETRACT
from fanout.orders.queues import FANOUT, NOTICES
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import broker_node
from tests.backends import counted_round_trips
from tests.ids import new_id
from tests.integration.speaking import on_one_store
from tweets.writing.after_write import deliver_order


class TestDispatcher:
    def test_sending_does_not_wait_for_a_hung_broker(self) -> None:
        answered, sent = threading.Event(), list[int]()

        def wait_then_send(order: Order) -> None:
            answered.wait(60)
            sent.append(order.id)

        sending = Dispatcher(wait_then_send)
        for number in range(1, 51):
            sending.send(deliver_order(number, 1))
        assert sent == [], "every send returned before the broker had taken anything"
        answered.set()
        sending.drain(60.0)
        assert len(sent) == 50

    def test_a_full_queue_drops_rather_than_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fanout.orders.dispatch.QUEUE_SIZE", 2)
        answered, sent = threading.Event(), list[int]()

        def wait_then_send(order: Order) -> None:
            answered.wait(60)
            sent.append(order.id)

        sending = Dispatcher(wait_then_send)
        for number in range(1, 11):
            sending.send(deliver_order(number, 1))
        answered.set()
        sending.drain(60.0)
        assert 2 <= len(sent) <= 3
        assert sent[:2] == [1, 2]

    def test_a_broker_that_fails_stops_nothing(self) -> None:
        sent: list[int] = []

        def failing_once(order: Order) -> None:
            if order.id == 1:
                raise ConnectionError
            sent.append(order.id)

        sending = Dispatcher(failing_once)
        for number in (1, 2):
            sending.send(deliver_order(number, 1))
        sending.drain(60.0)
        assert sent == [2]

    def test_without_a_thread_nothing_is_raised_and_the_next_order_finds_one(self) -> None:
        sent: list[int] = []
        sending = Dispatcher(lambda order: sent.append(order.id))
        with patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            sending.send(deliver_order(1, 1))
        sending.send(deliver_order(2, 1))
        sending.drain(60.0)
        assert sent == [2]


@on_one_store
@pytest.mark.usefixtures("product")
class TestOrdersThatGoTogether:
    def test_one_goes_by_itself_and_what_follows_it_in_one_message(self) -> None:
        messages: list[list[Order]] = []
        sending = Dispatcher(lambda order: messages.append([order]), lambda orders: messages.append(list(orders)))
        orders = [Order(new_id(), NOTIFY_ORDER, (1, 0, 1, 2)) for _ in range(5)]
        for order in orders:
            sending.send(order)
        tweet = deliver_order(new_id(), 1)
        sending.send(tweet)
        sending.drain(60.0)
        assert messages == [orders[:1], [tweet], orders[1:]]

    def test_what_a_broker_does_not_take_is_kept_and_sent_at_its_return(self) -> None:
        broker = Broker()
        sending = Dispatcher(broker.take, broker.take_together)
        orders = [Order(new_id(), NOTIFY_ORDER, (1, 0, 1, 2)) for _ in range(5)]
        for order in orders:
            sending.send(order)
        sending.drain(60.0)
        assert (broker.took, broker.refused >= 2) == ([], True)
        broker.answers = True
        assert wait_until(lambda: len(broker.took) == 5, seconds=60.0)
        assert broker.took == [order.id for order in orders]

    def test_a_message_names_each_with_what_it_says_and_a_sweeper_leaves_them_alone(self) -> None:
        orders = [Order(new_id(), NOTIFY_ORDER, (each, 0, 1, 2)) for each in (7, 8)]
        with patch.object(dispatch, "_send") as sent:
            enqueue_together(orders)
            enqueue_together(orders[:1])
        together, alone = sent.call_args_list
        told = [(order.id, *order.args) for order in orders]
        assert together == call("fanout.work_orders", (orders[0].id, NOTIFY_ORDER), NOTICES, orders=told)
        assert alone.args[0] == "fanout.work_order"
        left_alone = broker_node().round_trip(*(("TTL", f"sent:{order.id}") for order in orders))
        assert [5 < seconds <= resending.TOGETHER_SECONDS for seconds in left_alone] == [True, True]
        assert resending.together_seconds(250) > resending.TOGETHER_SECONDS + 10

    def test_a_message_that_was_not_taken_claims_nothing(self) -> None:
        orders = [Order(new_id(), NOTIFY_ORDER, (1, 0, 1, 2)) for _ in range(2)]
        with patch.object(dispatch, "_send", side_effect=Unavailable("redis_broker")), pytest.raises(Unavailable):
            enqueue_together(orders)
        assert broker_node().round_trip(("EXISTS", *(f"sent:{order.id}" for order in orders))) == [0]

    def test_those_that_wait_for_others_wait_for_no_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gathering, "GATHER_SECONDS", 5.0)
        sending = Dispatcher(lambda _: None, lambda _: None)
        for _ in range(50):
            sending.send(Order(new_id(), NOTIFY_ORDER, (1, 0, 1, 2)))
        assert wait_until(lambda: sending.waiting == 49, seconds=4.0)
        time.sleep(0.1)
        assert waiting_for_a_broker() == 0


class Broker:
    """Takes orders, or does not."""

    def __init__(self) -> None:
        self.answers = False
        self.took: list[int] = []
        self.refused = 0

    def take(self, order: Order) -> None:
        if not self.answers:
            self.refused += 1
            raise Unavailable("redis_broker")
        self.took.append(order.id)

    def take_together(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.take(order)


@on_one_store
@pytest.mark.usefixtures("product")
class TestHeldOrders:
    def test_no_tweet_finds_its_place_taken_by_likes_which_go_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(holding, "HELD", 3)
        broker, messages = Broker(), list[list[int]]()
        broker.answers = True
        held = HeldOrders(broker.take, lambda orders: messages.append([each.id for each in orders]))
        likes = [Order(new_id(), NOTIFY_ORDER, (1, 0, 1, 2)) for _ in range(5)]
        tweets = [deliver_order(new_id(), 1) for _ in range(3)]
        assert [held.hold(each) for each in (*likes, *tweets)] == [True] * 3 + [False] * 2 + [True] * 3
        held.pass_on_some()
        assert messages == [[each.id for each in likes[:3]]]
        assert (broker.took, len(held)) == ([each.id for each in tweets], 0)

    def test_who_holds_more_than_a_chunk_goes_on_at_once(self) -> None:
        """And not when it next looks whether the broker is back."""
        broker = Broker()
        broker.answers = True
        held = HeldOrders(broker.take)
        for _ in range(holding.CHUNK + 1):
            held.hold(deliver_order(new_id(), 1))
        assert [held.pass_on_some(), held.pass_on_some()] == [True, False]
        assert len(broker.took) == holding.CHUNK + 1

    def test_tweets_that_waited_go_several_in_a_message_and_what_a_worker_has_to_look_up_alone(self) -> None:
        broker, bunches = Broker(), list[list[int]]()
        broker.answers = True
        held = HeldOrders(broker.take, None, lambda orders: bunches.append([each.id for each in orders]))
        tweets = [deliver_order(new_id(), 1) for _ in range(2 * holding.BUNCH + 1)]
        retracted = Order(new_id(), RETRACT, (1, 2))
        for each in (*tweets[:-1], retracted, tweets[-1]):
            held.hold(each)
        held.pass_on_some()
        assert bunches == [
            [each.id for each in tweets[: holding.BUNCH]],
            [each.id for each in tweets[holding.BUNCH : -1]],
        ]
        assert (broker.took, len(held)) == ([retracted.id, tweets[-1].id], 0)

    def test_a_bunch_that_is_not_taken_is_kept_in_its_order(self) -> None:
        broker, bunches = Broker(), list[list[int]]()

        def take_one(orders: Sequence[Order]) -> None:
            if bunches and not broker.answers:
                raise Unavailable("redis_broker")
            bunches.append([each.id for each in orders])

        held = HeldOrders(broker.take, None, take_one)
        tweets = [deliver_order(new_id(), 1) for _ in range(2 * holding.BUNCH)]
        for each in tweets:
            held.hold(each)
        assert held.pass_on_some() is False
        assert len(held) == holding.BUNCH
        broker.answers = True
        held.pass_on_some()
        assert [each for bunch in bunches for each in bunch] == [each.id for each in tweets]

    def test_a_bunch_is_one_message_that_says_all_of_each(self) -> None:
        tweets = [deliver_order(new_id(), 1) for _ in range(2)]
        with patch.object(dispatch, "_send") as sent:
            enqueue_bunch(tweets)
        told = [(order.id, *order.args) for order in tweets]
        assert sent.call_args_list == [call("fanout.work_orders", (tweets[0].id, DELIVER), FANOUT, orders=told)]

    def test_a_message_of_many_that_is_not_taken_is_kept(self) -> None:
        def refuse(_orders: Sequence[Order]) -> None:
            raise Unavailable("redis_broker")

        held = HeldOrders(Broker().take, refuse)
        likes = [Order(new_id(), NOTIFY_ORDER, (1, 0, 1, 2)) for _ in range(5)]
        for each in likes:
            held.hold(each)
        assert held.pass_on_some() is False
        assert len(held) == 5
        assert broker_node().round_trip(("EXISTS", *(f"sent:{each.id}" for each in likes))) == [0]

    def test_what_a_broker_did_not_take_is_sent_at_its_return_in_its_order(self) -> None:
        broker, orders = Broker(), [deliver_order(new_id(), 1) for _ in range(250)]
        sending = Dispatcher(broker.take)
        for order in orders:
            sending.send(order)
        sending.drain(60.0)
        assert (broker.took, broker.refused >= 250) == ([], True)
        broker.answers = True
        assert wait_until(lambda: len(broker.took) == 250, seconds=60.0)
        assert broker.took == [order.id for order in orders]
        sending.send(later := deliver_order(new_id(), 1))
        sending.drain(60.0)
        assert broker.took[250:] == [later.id]

    def test_what_somebody_else_has_sent_in_the_meantime_is_not_sent_again(self) -> None:
        broker, orders = Broker(), [deliver_order(new_id(), 1) for _ in range(3)]
        held = HeldOrders(broker.take)
        assert all(map(held.hold, orders))
        assert resending.claim(broker_node(), [str(orders[1].id)], seconds=60) == [True]
        held.pass_on_some()
        assert (broker.took, len(held)) == ([], 2), "the other was sent"
        broker.answers = True
        held.pass_on_some()
        assert (broker.took, len(held)) == ([orders[0].id, orders[2].id], 0)
        assert resending.claim(broker_node(), [str(orders[2].id)], seconds=60) == [False], "a sweeper leaves it alone"

    def test_no_more_is_kept_than_there_is_room_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(holding, "HELD", 2)
        broker = Broker()
        held = HeldOrders(broker.take)
        kept = [held.hold(deliver_order(new_id(), 1)) for _ in range(3)]
        assert (kept, len(held)) == ([True, True, False], 2)

    def test_what_cannot_be_sent_at_all_keeps_nothing_behind_it(self) -> None:
        broker, orders = Broker(), [deliver_order(new_id(), 1) for _ in range(3)]

        def take(order: Order) -> None:
            if order is orders[1]:
                raise ValueError("no such order")
            broker.take(order)

        broker.answers = True
        held = HeldOrders(take)
        for order in orders:
            held.hold(order)
        with pytest.raises(ValueError, match="no such order"):
            held.pass_on_some()
        held.pass_on_some()
        assert (broker.took, len(held)) == ([orders[0].id, orders[2].id], 0)

    def test_where_the_last_one_cannot_be_sent_nothing_is_asked_of_the_broker_any_more(self) -> None:
        def fail(_order: Order) -> None:
            raise ValueError("no such order")

        held = HeldOrders(fail)
        held.hold(deliver_order(new_id(), 1))
        with pytest.raises(ValueError, match="no such order"):
            held.pass_on_some()
        with counted_round_trips() as trips:
            held.pass_on_some()
        assert (trips, len(held)) == ([], 0)


def waiting_for_a_broker() -> float:
    [family] = dispatch.WAITING.collect()
    return family.samples[0].value
