"""How many commands Redis carries out, those of scripts among them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from storage.redis.node import timeline_node


@contextmanager
def commands_run() -> Iterator[Callable[[], int]]:
    """Yields what says how many commands on lists were carried out since."""
    with redis.Redis.from_url(timeline_node().url) as client:

        def counted() -> int:
            stats = client.info("commandstats")
            lists = ("cmdstat_lindex", "cmdstat_lrange", "cmdstat_linsert", "cmdstat_lpush", "cmdstat_llen")
            return sum(int(stats[name]["calls"]) for name in lists if name in stats)

        before = counted()
        yield lambda: counted() - before
