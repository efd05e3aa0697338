"""The sweeper: what is sent again, how soon, and what it leaves alone."""

import time
from collections.abc import Iterator
from typing import cast
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from accounts.graph.follows import GRAPH_ORDER
from fanout import tasks
from fanout.delivery import fan_out
from fanout.orders import attempts, handlers, resending, sweeper
from fanout.orders.kinds import DELIVER
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.dead_letters import WHOLE, Attempt
from storage.ports.outbox import Order
from storage.redis.node import broker_node, timeline_node
from storage.redis.reads import Command
from storage.stores import associations, dead_letters, outbox
from tests.backends import timeline_redis_down
from tests.ids import new_id
from tests.work import open_orders

SECOND = 1_000_000


@pytest.fixture(autouse=True)
def sent(product: str, settings: Settings) -> Iterator[list[int]]:
    """The ids of the orders that the sweeper has sent."""
    settings.SWEEP_AFTER_SECONDS = 0.0
    ids: list[int] = []
    with patch.object(sweeper, "enqueue", lambda order, *, resent, **_: ids.append(order.id) if resent else None):
        yield ids


def planted(*, seconds_ago: float = 30.0, kind: str = DELIVER) -> Order:
    order = Order(make_id(now_us() - int(seconds_ago * SECOND), new_id() % 4096), kind, (new_id(), new_id()))
    outbox().add(order)
    return order


def failed(order: Order, times: int, *, seconds_ago: float = 0.0) -> None:
    for slot in range(times):
        begun = now_us() - int(seconds_ago * SECOND) - (times - slot)
        dead_letters().record_attempt(order.id, Attempt(WHOLE, slot, begun, "ValueError"))


def queued(queue: str, count: int) -> None:
    messages: Command = ("LPUSH", queue, *([b"{}"] * count))
    broker_node().round_trip(messages)


def test_what_redis_could_not_take_is_in_force_within_ten_seconds_of_its_return() -> None:
    """The waits that add up: a sweep each so often, after the birth or after the last sending."""
    every = cast(float, django_settings.CELERY_BEAT_SCHEDULE["sweep"]["schedule"])
    assert django_settings.ENV.sweep_after_seconds + every <= 6.0
    assert resending.RESEND_SECONDS + every <= 8.0
    order = planted(kind=GRAPH_ORDER)
    sweeper.sweep()
    [left] = broker_node().round_trip(("PTTL", resending._sent_key(str(order.id))))
    assert 0 < left <= resending.RESEND_SECONDS * 1_000


def test_what_waits_behind_others_is_left_alone_until_the_workers_can_have_come_to_it(
    sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage thousands wait; sent again meanwhile, each of them would be worked off and looked at again."""
    monkeypatch.setattr(resending, "SLOWEST", 10.0)
    queued(handlers.queue_of(DELIVER), 600)
    order = planted()
    sweeper.sweep()
    [left] = broker_node().round_trip(("PTTL", resending._sent_key(str(order.id))))
    assert 60_000 < left <= (60 + resending.RESEND_SECONDS) * 1_000


def test_who_had_their_turn_while_a_backend_was_away_is_sent_again_as_soon_as_ever() -> None:
    queued(handlers.queue_of(DELIVER), 600)
    order = planted()
    sweeper.sweep()
    with timeline_redis_down():
        tasks.work_order(order.id, order.kind, resent=True)
    [left] = broker_node().round_trip(("PTTL", resending._sent_key(str(order.id))))
    assert 0 < left <= resending.RESEND_SECONDS * 1_000


def test_each_failure_doubles_the_pause_and_the_others_are_sent_meanwhile(sent: list[int]) -> None:
    pausing, ready, untried = planted(), planted(), planted()
    failed(pausing, 3, seconds_ago=8 * attempts.BACKOFF_SECONDS - 5)
    failed(ready, 3, seconds_ago=8 * attempts.BACKOFF_SECONDS + 1)
    assert sweeper.sweep() == 2
    assert sorted(sent) == sorted([ready.id, untried.id])
    assert pausing in open_orders()


def test_an_attempt_under_way_is_not_disturbed_at_once(sent: list[int]) -> None:
    order = planted()
    dead_letters().record_attempt(order.id, Attempt(WHOLE, 0, now_us() - 3 * SECOND))
    assert sweeper.sweep() == 0


def test_an_order_that_killed_its_last_worker_is_given_up_by_the_sweeper(sent: list[int]) -> None:
    poison, behind = planted(), planted()
    for slot in range(attempts.MAX_ATTEMPTS):
        begun = now_us() - int((attempts.ATTEMPT_SECONDS + 1) * SECOND)
        dead_letters().record_attempt(poison.id, Attempt(WHOLE, slot, begun))
    assert sweeper.sweep() == 1
    assert sent == [behind.id]
    assert open_orders() == [behind]
    assert dead_letters().read(poison.id) is not None


def test_nothing_starves_behind_more_poisoned_orders_than_a_sweep_sends(
    sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "PAGE", 3)
    monkeypatch.setattr(sweeper, "CHUNK", 2)
    monkeypatch.setattr(sweeper, "SWEEP_LIMIT", 2)
    for number in range(10):
        failed(planted(seconds_ago=100.0 - number), 2)
    behind = [planted(seconds_ago=50.0 - number) for number in range(3)]
    sweeper.sweep()
    sweeper.sweep()
    assert sent == [order.id for order in behind]


def test_a_sweep_looks_at_so_many_orders_and_no_further(sent: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded work, however long an outage was; what it looks at goes away, or is sent, and then the next are seen."""
    monkeypatch.setattr(sweeper, "PAGE", 2)
    monkeypatch.setattr(sweeper, "LOOKED_AT", 4)
    orders = [planted(seconds_ago=100.0 - number) for number in range(6)]
    assert sweeper.sweep() == 4
    assert sent == [order.id for order in orders[:4]]
    for order in orders[:4]:
        outbox().mark_done(order.id)
    assert sweeper.sweep() == 2


def test_changes_of_the_graph_do_not_wait_behind_a_backlog_of_tweets(
    sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "PAGE", 3)
    monkeypatch.setattr(sweeper, "SWEEP_LIMIT", 2)
    for number in range(12):
        planted(seconds_ago=100.0 - number)
    change = planted(seconds_ago=10.0, kind=GRAPH_ORDER)
    sweeper.sweep()
    assert change.id in sent
    assert len(sent) < 12


class TestALongQueue:
    def test_what_is_most_likely_in_it_is_not_sent_again(self, sent: list[int]) -> None:
        planted(seconds_ago=resending.LOST_SECONDS - 5)
        queued("fanout", resending.QUEUE_LONG)
        assert sweeper.sweep() == 0
        broker_node().round_trip(("DEL", "fanout"))
        assert sweeper.sweep() == 1

    def test_what_the_broker_lost_is_sent_in_the_end_and_once(self, sent: list[int]) -> None:
        lost = planted(seconds_ago=resending.LOST_SECONDS + 5)
        queued("fanout", resending.QUEUE_LONG)
        for _ in range(3):
            sweeper.sweep()
        assert sent == [lost.id]
        [left] = broker_node().round_trip(("TTL", resending._sent_key(str(lost.id))))
        assert left > resending.LOST_SECONDS - 60

    def test_of_much_that_is_old_a_little_is_sent_at_a_time(
        self, sent: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeper, "TRICKLE", 2)
        monkeypatch.setattr(sweeper, "CHUNK", 2)
        orders = [planted(seconds_ago=resending.LOST_SECONDS + 60 - number) for number in range(5)]
        queued("fanout", resending.QUEUE_LONG)
        sweeper.sweep()
        assert sent == [order.id for order in orders[:2]]
        sweeper.sweep()
        sweeper.sweep()
        assert sent == [order.id for order in orders]

    def test_it_holds_up_no_change_of_the_graph(self, sent: list[int]) -> None:
        planted()
        change = planted(kind=GRAPH_ORDER)
        queued("fanout", resending.QUEUE_LONG)
        sweeper.sweep()
        assert sent == [change.id]

    def test_parts_that_wait_in_it_do_not_multiply(self) -> None:
        author = new_id()
        associations().grow(author, "follow", 1)
        order = Order(new_id(), DELIVER, (new_id(), author))
        outbox().add(order)
        parts: list[int] = []
        with patch.object(fan_out, "enqueue_part", lambda order, part, of, **_: parts.append(part)):
            for _ in range(3):
                handlers.work_off(order, resent=True)
            assert parts == [0, 1]
            fan_out.let_part_be_sent(order.id, 1)
            handlers.work_off(order, resent=True)
            assert parts == [0, 1, 1], "that attempt has ended"
            broker_node().round_trip(("FLUSHALL",))
            queued("bulk", resending.QUEUE_LONG)
            handlers.work_off(order, resent=True)
        assert parts == [0, 1, 1, 0, 1], "the broker has forgotten them"
        [left] = broker_node().round_trip(("TTL", resending._sent_key(f"{order.id}:0")))
        assert left > fan_out.PART_SECONDS


class TestBackendsThatComeAndGo:
    def test_the_timelines_redis_may_be_down(self, sent: list[int]) -> None:
        order = planted()
        with timeline_redis_down():
            assert sweeper.sweep() == 1
            assert sweeper.sweep() == 0, "a moment ago"
        timeline_node().round_trip(("FLUSHALL",))
        assert sweeper.sweep() == 0, "a moment ago"
        assert sent == [order.id]

    def test_an_emptied_broker_gets_everything_again_at_once(self, sent: list[int]) -> None:
        order = planted()
        sweeper.sweep()
        broker_node().round_trip(("FLUSHALL",))
        sweeper.sweep()
        assert sent == [order.id] * 2

    def test_what_the_broker_refused_is_sent_at_the_next_sweep(self, sent: list[int]) -> None:
        orders = [planted(seconds_ago=30.0 - number) for number in range(3)]
        refusing = [None, Unavailable("redis_broker")]
        with patch.object(sweeper, "enqueue", side_effect=refusing), pytest.raises(Unavailable):
            sweeper.sweep()
        sweeper.sweep()
        assert sent == [order.id for order in orders[1:]]

    def test_what_the_store_kept_from_being_sent_is_sent_at_the_next_sweep(self, sent: list[int]) -> None:
        order = planted()
        failing = patch.object(sweeper, "_to_be_tried", side_effect=Unavailable("store"))
        with failing, pytest.raises(Unavailable):
            sweeper.sweep()
        sweeper.sweep()
        assert sent == [order.id]


def test_the_first_pauses_are_short_and_the_last_is_bounded() -> None:
    noted = [Attempt(WHOLE, slot, now_us()) for slot in range(attempts.MAX_ATTEMPTS)]
    assert attempts.may_be_tried([])
    with patch.object(attempts, "now_us", lambda: int((time.time() + 160) * SECOND)):
        assert attempts.may_be_tried(noted)


def test_minutes_are_forgotten_though_something_cannot_be_finished() -> None:
    with (
        patch.object(sweeper, "finish", side_effect=Unavailable("cassandra")),
        patch.object(sweeper, "discard") as done,
    ):
        tasks.discard()
    done.assert_called_once_with()
