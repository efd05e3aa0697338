"""The timelines' Redis of tests, when it is a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import override_settings

from storage.redis.node import timeline_node
from tests.settings import TIMELINES_ON_A_CLUSTER

on_one_server = pytest.mark.skipif(TIMELINES_ON_A_CLUSTER, reason="asks a server what a cluster has by node or by slot")


@contextmanager
def timelines_at(url: str) -> Iterator[None]:
    """Inside, this process takes that cluster for the timelines' Redis."""
    with override_settings(TIMELINE_REDIS_URL=url):
        timeline_node.cache_clear()
        try:
            yield
        finally:
            timeline_node.cache_clear()
