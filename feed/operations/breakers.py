"""The breakers of this process, for whoever tells of them: /readyz, metrics, figures, the desk."""

from collections.abc import Sequence

from django.conf import settings

from accounts import sql
from fanout.orders.brokers import group_breakers
from storage.breakers import Breaker
from storage.redis.node import broker_node, timeline_node
from storage.stores import store_breaker
from tweets.search.guarded import search_index, search_is_on


def breakers() -> dict[str, Sequence[Breaker]]:
    """Returns them by the names of their backends: of a cluster one for each of its nodes, too, and those of groups'
    brokers under names of their own."""
    found: dict[str, Sequence[Breaker]] = {
        "redis_timelines": timeline_node().breakers,
        "redis_broker": broker_node().breakers,
        "store": [store_breaker()],
        "database": [sql.breaker],
    }
    if search_is_on():
        found["search"] = [search_index().breaker]
    if sql.REPLICA in settings.DATABASES:
        found["database_replica"] = [sql.replica_breaker]
    return found | {name: [breaker] for name, breaker in group_breakers().items()}
