"""Brokers of several groups of workers, each a server of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.test import override_settings

from deploy.valkey import Valkey
from fanout.orders.brokers import brokers
from fanout.orders.producers import producers


@contextmanager
def groups_of_workers(count: int) -> Iterator[list[Valkey]]:
    """Inside, orders are spread over so many groups."""
    with ExitStack() as servers:
        started = [servers.enter_context(Valkey(name=f"group {number}")) for number in range(1, count + 1)]
        with override_settings(FANOUT_BROKER_URLS=[each.url for each in started]):
            brokers.cache_clear()
            try:
                yield started
            finally:
                producers.close()
                for node in brokers():
                    node.breaker.reset()
        brokers.cache_clear()
