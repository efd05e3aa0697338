"""How messages go to a broker and come from it: what Celery's transport costs each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import redis
from kombu import Connection

from config.celery import PromptConnection
from deploy.valkey import Valkey

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


def passed_through(connection: Connection) -> list[int]:
    """What comes out of a queue that so many messages were put on, each of which is acknowledged."""
    found: list[int] = []
    with connection.SimpleQueue("messages") as queue:
        for number in range(MESSAGES):
            queue.put(number, serializer="json")
        for _ in range(MESSAGES):
            message = queue.get(timeout=20)
            found.append(message.payload)
            message.ack()
    with redis.Redis.from_url(connection.as_uri(include_password=True)) as client:
        assert [client.llen("messages"), client.hlen("unacked"), client.zcard("unacked_index")] == [0, 0, 0]
    return found


def test_no_message_has_a_client_made(broker: Valkey) -> None:
    with PromptConnection(broker.url) as connection:
        passed_through(connection)
        with counted_clients() as made:
            assert passed_through(connection) == list(range(MESSAGES))
    assert len(made) <= 2, "one of each of the queue's channels"
    with Connection(broker.url) as connection, counted_clients() as made:
        passed_through(connection)
    assert len(made) > 2 * MESSAGES, "as kombu does: when it keeps them itself, ours is not needed"


def test_nothing_is_kept_of_a_pool_that_was_left(broker: Valkey) -> None:
    with PromptConnection(broker.url) as connection:
        channel: Any = connection.channel()
        one = channel._create_client()
        assert channel._create_client() is one
        channel._disconnect_pools()
        another = channel._create_client()
        assert another is not one
        assert another.connection_pool is channel.pool
        assert another.ping()
