"""Worlds for interleavings, on the store that the test runs with."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import override_settings

from accounts.account_cache import accounts
from deploy.valkey import Valkey
from tests.property.listening import ListeningTimelines
from tests.property.machine import Timelines
from tests.property.polled import PolledTimelines

NewWorld = Callable[[], Timelines]
SMALL = {"TIMELINE_CAP": 8, "TIMELINE_SHARDS": 2, "SWEEP_AFTER_SECONDS": 0}
"""A cap that is soon reached, and shards that people share."""


@pytest.fixture
def new_world(store: str, empty_outbox: None, redis_servers: None, timeline_redis: Valkey) -> Iterator[NewWorld]:
    accounts.forget_all()
    with ThreadPoolExecutor(8) as threads, override_settings(**SMALL):
        yield lambda: Timelines(timeline_redis, threads)


@pytest.fixture
def new_polled_world(new_world: NewWorld, timeline_redis: Valkey) -> Iterator[NewWorld]:
    with ThreadPoolExecutor(8) as threads:
        yield lambda: PolledTimelines(timeline_redis, threads)


@pytest.fixture
def new_listening_world(new_world: NewWorld, timeline_redis: Valkey) -> Iterator[NewWorld]:
    with ThreadPoolExecutor(8) as threads:
        yield lambda: ListeningTimelines(timeline_redis, threads)
