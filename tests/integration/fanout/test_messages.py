"""How messages go to a broker and come from it: what Celery's transport costs each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import redis
from kombu import Connection

from config.celery import app
from deploy.valkey import Valkey
from fanout.orders.dispatch import enqueue
from fanout.orders.kinds import DELIVER
from fanout.orders.queues import FANOUT
from fanout.orders.resending import queue_lengths
from storage.ports.outbox import Order
from storage.redis.node import broker_node
from tests.ids import new_id

MESSAGES = 20


@pytest.fixture(scope="module")
def broker() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@contextmanager
def counted_clients() -> Iterator[list[None]]:
    made: list[None] = []
    begin = redis.Redis.__init__

    def counting(self: redis.Redis, *args: Any, **kwargs: Any) -> None:
        made.append(None)
        begin(self, *args, **kwargs)

    with patch.object(redis.Redis, "__init__", counting):
        yield made


def passed_through(connection: Connection, broker: Valkey) -> list[int]:
    """What comes out of a queue that so many messages were put on, each of which is acknowledged."""
    found: list[int] = []
    with connection.SimpleQueue("messages") as queue:
        for number in range(MESSAGES):
            queue.put(number, serializer="json")
        for _ in range(MESSAGES):
            message = queue.get(timeout=20)
            found.append(message.payload)
            message.ack()
    with redis.Redis.from_url(broker.url) as client:
        assert [client.llen("messages"), client.hlen("unacked"), client.zcard("unacked_index")] == [0, 0, 0]
    return found


def test_no_message_has_a_client_made(broker: Valkey) -> None:
    with app.connection_for_read(broker.url) as connection:
        passed_through(connection, broker)
        with counted_clients() as made:
            assert passed_through(connection, broker) == list(range(MESSAGES))
    assert len(made) <= 2, "one of each of the queue's channels"


@pytest.mark.usefixtures("redis_servers")
def test_no_order_that_is_sent_has_one_made() -> None:
    orders = [Order(new_id(), DELIVER, (new_id(), new_id())) for _ in range(MESSAGES)]
    enqueue(orders[0])
    with counted_clients() as made:
        for order in orders[1:]:
            enqueue(order)
    assert made == []
    assert queue_lengths(broker_node(), [FANOUT]) == {FANOUT: MESSAGES}


def test_kombu_makes_one_a_command(broker: Valkey) -> None:
    """When it keeps them itself, ours is not needed."""
    with Connection(broker.url, transport="kombu.transport.redis:Transport") as connection, counted_clients() as made:
        passed_through(connection, broker)
    assert len(made) > 2 * MESSAGES


def test_nothing_is_kept_of_a_pool_that_was_left(broker: Valkey) -> None:
    with app.connection_for_read(broker.url) as connection:
        channel: Any = connection.channel()
        one = channel._create_client()
        assert channel._create_client() is one
        assert channel.client is not one, "which waits for messages, by a connection of its own"
        channel._disconnect_pools()
        another = channel._create_client()
        assert another is not one
        assert another.connection_pool is channel.pool
        assert another.ping()
