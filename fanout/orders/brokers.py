"""Which broker an order goes to: the one that there is, or that of a group of workers.

With FANOUT_BROKER_URLS each address is a *group*: a broker, and the workers that were started with `--broker` and that
address. An order belongs to one group by its id, whoever sends it, with its parts and with the claims that say that it
was sent (orders/resending.py): so a broker that loses its queues loses those as well. Groups know nothing of each
other; one whose broker is away keeps its own orders waiting, in the outbox. When the list changes, what waits in the
queues is worked off where it is, and what is open goes to its new group: at worst twice.

What there is one of stays with BROKER_REDIS_URL: the maintenance queue, what processes count together, who sweeps. So
while that one is away nobody sweeps, for any group; what is posted goes to the others all the same.
"""

from functools import cache

from django.conf import settings

from storage.breakers import Breaker
from storage.ids.snowflakes import spread
from storage.ports.outbox import SHARDS
from storage.redis.node import RedisNode, broker_node


@cache
def brokers() -> tuple[RedisNode, ...]:
    """Returns the brokers of orders, one a group. The one that there is, unless FANOUT_BROKER_URLS has others."""
    nodes = [_node(number, url) for number, url in enumerate(settings.FANOUT_BROKER_URLS, start=1)]
    return tuple(nodes) or (broker_node(),)


def broker_of(order_id: int) -> RedisNode:
    """Returns the broker to whose queues the order, and its parts, belong.

    By other bits than its shard: else a sweeper's shards would be orders of some groups only.
    """
    found = brokers()
    return found[spread(order_id, SHARDS * len(found)) // SHARDS]


def group_breakers() -> dict[str, Breaker]:
    """Returns the breakers of groups' brokers by their names, without that of BROKER_REDIS_URL; mostly none."""
    return {each.name: each.breaker for each in brokers() if each is not broker_node()}


def is_broker(backend: str) -> bool:
    """Says whether it was a broker, by what `Unavailable` says."""
    return any(backend == each.name for each in (broker_node(), *brokers()))


def ping_all() -> None:
    """Raises `Unavailable` unless every broker answers. A round trip each."""
    for each in {broker_node(), *brokers()}:
        each.ping()


def _node(number: int, url: str) -> RedisNode:
    return broker_node() if url == settings.BROKER_REDIS_URL else RedisNode(f"redis_broker_{number}", url)
