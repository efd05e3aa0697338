"""Watching and breaking the backends of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from deploy.ports import LOOPBACK, free_port
from storage.redis import Command, RedisNode, timeline_node


@contextmanager
def counted_round_trips() -> Iterator[list[tuple[Command, ...]]]:
    """The commands of each Redis round trip made inside, on any node."""
    trips: list[tuple[Command, ...]] = []
    original = RedisNode.round_trip

    def counted(self: RedisNode, *commands: Command) -> list[Any]:
        trips.append(commands)
        return original(self, *commands)

    with patch.object(RedisNode, "round_trip", counted):
        yield trips


@contextmanager
def timeline_redis_down() -> Iterator[None]:
    """Inside, nothing listens where this process looks for the timeline Redis."""
    node = timeline_node()
    address, node.url, node._client = node.url, f"redis://{LOOPBACK}:{free_port()}/0", None
    try:
        yield
    finally:
        node.url, node._client = address, None
