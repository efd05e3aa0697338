"""The timelines' Redis of tests, when it is a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import override_settings

from storage.redis.node import timeline_node
from tests.settings import TIMELINES_ON_A_CLUSTER
from tests.valkey_cluster import WAIT_SECONDS

on_one_server = pytest.mark.skipif(TIMELINES_ON_A_CLUSTER, reason="asks a server what a cluster has by node or by slot")


@contextmanager
def timelines_at(url: str) -> Iterator[None]:
    """Inside, this process takes that cluster for the timelines' Redis."""
    with override_settings(TIMELINE_REDIS_URL=url):
        leave_timelines()
        try:
            yield
        finally:
            leave_timelines()


def leave_timelines() -> None:
    """Whoever comes next has connections of their own. Those of before are closed here: a node is part of a cycle, and
    where the collector comes to a socket before its connection, it warns of one that nobody closed."""
    node = timeline_node()
    timeline_node.cache_clear()
    node.disconnect()
    if (cluster := node._cluster) is not None:
        for member in cluster._members.values():
            member.disconnect()
        if (look := cluster.topology._looking) is not None:
            look.join(WAIT_SECONDS)
