"""Orders of several groups of workers: each order at its own group's broker, and one that is away holds up no other."""

from collections.abc import Iterator
from contextlib import ExitStack
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from deploy.valkey import Valkey
from fanout.orders import dispatch, producers, resending, sweeper
from fanout.orders.brokers import broker_of, brokers, ping_all
from fanout.orders.kinds import DELIVER
from fanout.orders.queues import BULK, FANOUT
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us, spread
from storage.ports.outbox import SHARDS, Order
from storage.redis.node import RedisNode, broker_node
from storage.stores import outbox
from tests.groups import groups_of_workers
from tests.ids import new_id
from tests.integration.speaking import on_one_store

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.fixture
def groups(settings: Settings) -> Iterator[list[Valkey]]:
    settings.SWEEP_AFTER_SECONDS = 0.0
    with groups_of_workers(2) as servers:
        yield servers


def planted(count: int) -> list[Order]:
    born = now_us() - 30_000_000
    orders = [Order(make_id(born + 1_000 * n, new_id() % 4096), DELIVER, (new_id(), new_id())) for n in range(count)]
    for order in orders:
        outbox().add(order)
    return orders


def waiting(queue: str = FANOUT) -> list[int]:
    """How many messages each broker has in the queue, the one of maintenance first."""
    return [resending.queue_lengths(each, [queue])[queue] for each in (broker_node(), *brokers())]


def test_without_groups_there_is_one_broker() -> None:
    assert brokers() == (broker_node(),)
    assert {broker_of(new_id()) for _ in range(20)} == {broker_node()}


@pytest.mark.parametrize("count", [2, 3, 4, 8, 16])
def test_each_shard_of_the_outbox_has_orders_of_every_group(count: int) -> None:
    nodes = tuple(RedisNode(f"redis_broker_{number}", "redis://127.0.0.1:1/0") for number in range(count))
    met: set[tuple[int, str]] = set()
    with patch("fanout.orders.brokers.brokers", lambda: nodes):
        for _ in range(10_000 * count):  # so many at most: by chance alone none would be left of a thousand
            each = new_id()
            met.add((spread(each, SHARDS), broker_of(each).name))
            if len(met) == SHARDS * count:
                return
    pytest.fail(f"{SHARDS * count - len(met)} groups have no orders in a shard")


def test_orders_go_to_their_groups_and_parts_with_them(groups: list[Valkey]) -> None:
    orders = planted(20)
    expected = [sum(broker_of(order.id) is each for order in orders) for each in brokers()]
    assert all(expected)
    for order in orders:
        dispatch.enqueue(order)
        dispatch.enqueue_part(order, 0, 1)
    assert waiting() == waiting(BULK) == [0, *expected]


def test_a_sweep_sends_to_each_what_is_its_own_once(groups: list[Valkey]) -> None:
    orders = planted(20)
    assert sweeper.sweep() == 20
    assert sweeper.sweep() == 0, "the claims stand beside the queues"
    assert sum(waiting()) == 20
    assert waiting()[0] == 0
    own = [order for order in orders if broker_of(order.id) is brokers()[0]]
    brokers()[0].round_trip(("FLUSHALL",))
    assert sweeper.sweep() == len(own), "what that broker lost, and nothing else"


def test_a_group_whose_broker_is_away_holds_up_no_other(groups: list[Valkey]) -> None:
    orders = planted(20)
    others = [order for order in orders if broker_of(order.id) is brokers()[1]]
    groups[0].kill()
    with pytest.raises(Unavailable, match="redis_broker_1"):
        sweeper.sweep()
    [length] = resending.queue_lengths(brokers()[1], [FANOUT]).values()
    assert length == len(others)
    with pytest.raises(Unavailable):
        ping_all()
    groups[0].start()
    brokers()[0].breaker.reset()
    assert sweeper.sweep() == 20 - len(others)
    ping_all()


@pytest.mark.parametrize("it_answers", [False, True])
def test_more_than_a_sweep_looks_at_of_a_group_that_is_away_hides_no_other(
    groups: list[Valkey], monkeypatch: pytest.MonkeyPatch, it_answers: bool
) -> None:
    """Also of one that answers what it is asked, and takes nothing."""
    monkeypatch.setattr(sweeper, "PAGE", 2)
    monkeypatch.setattr(sweeper, "LOOKED_AT", 4)
    away, healthy = brokers()
    orders = planted(40)
    for order in [order for order in orders if broker_of(order.id) is healthy][:-1]:
        outbox().mark_done(order.id)
    claim, look = resending.claim, sweeper.Look()

    def refused_by_one(broker: RedisNode, names: list[str], *, seconds: int) -> list[bool]:
        if broker is away:
            raise Unavailable(broker.name)
        return claim(broker, names, seconds=seconds)

    if not it_answers:
        groups[0].kill()
    with patch.object(resending, "claim", refused_by_one):
        for _ in range(len(orders) // sweeper.LOOKED_AT):
            with pytest.raises(Unavailable, match="redis_broker_1"):
                sweeper.sweep(look=look)
    assert resending.queue_lengths(healthy, [FANOUT])[FANOUT] >= 1
    if not it_answers:
        groups[0].start()
    away.breaker.reset()
    sweeper.sweep(look=look)
    assert look.after == 0, "oldest first again"


def test_a_broker_that_goes_amid_a_sweep_holds_up_no_other(groups: list[Valkey]) -> None:
    orders, enqueue = planted(20), dispatch.enqueue

    def refused_by_one(order: Order, *, resent: bool, found: bool) -> None:
        if broker_of(order.id) is brokers()[0]:
            raise Unavailable("redis_broker_1")
        enqueue(order, resent=resent)

    others = sum(broker_of(order.id) is brokers()[1] for order in orders)
    with patch.object(sweeper, "enqueue", refused_by_one), pytest.raises(Unavailable, match="redis_broker_1"):
        sweeper.sweep()
    assert waiting() == [0, 0, others]
    assert sweeper.sweep() == 20 - others, "their claims were given back"


def test_a_pool_that_is_used_up_is_a_broker_that_does_not_answer(
    groups: list[Valkey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producers, "SENDING_SECONDS", 0.01)
    [order] = planted(1)
    with ExitStack() as held:
        for _ in range(producers.CONNECTIONS):
            held.enter_context(producers.producers.of(broker_of(order.id)))
        with pytest.raises(Unavailable, match="redis_broker_"):
            dispatch.enqueue(order)
    dispatch.enqueue(order)


def test_a_group_that_hangs_is_given_a_second(groups: list[Valkey]) -> None:
    """One thread of a process sends to all groups."""
    with producers.producers.of(brokers()[0]) as producer:
        assert producer.channel.connection.client.transport_options["socket_timeout"] == 1.0


def test_the_lengths_of_queues_are_those_of_all(groups: list[Valkey]) -> None:
    for order in planted(20):
        dispatch.enqueue(order)
    assert resending.all_queue_lengths([FANOUT, BULK]) == {FANOUT: 20, BULK: 0}


def test_the_broker_of_maintenance_may_have_a_group_of_its_own(settings: Settings) -> None:
    settings.FANOUT_BROKER_URLS = [django_settings.BROKER_REDIS_URL]
    brokers.cache_clear()
    try:
        assert brokers() == (broker_node(),)
    finally:
        brokers.cache_clear()
