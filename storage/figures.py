"""What stores and caches count for Prometheus, each beside its own work and without a round trip.

    store_seconds{outcome}              one call of Cassandra, or one write of the embedded store
    cache_requests_total{cache,outcome} values that were looked up, found (`hit`) or not (`miss`)
    redis_connections{backend}          that a process has made to it and keeps; those in use are among them
    redis_pool_exhausted_total{backend} times that a process wanted one more than it may have

Children are looked up as a module is loaded: what a request pays is an addition, and no label of a client's is met.
"""

from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

STORE_SECONDS = Histogram("store_seconds", "A call of the store, by how it ended.", ["outcome"])
_ANSWERED, _FAILED = STORE_SECONDS.labels("answered"), STORE_SECONDS.labels("failed")
CACHE_REQUESTS = Counter("cache_requests", "Values looked up in a cache.", ["cache", "outcome"])
CONNECTIONS = Gauge(
    "redis_connections", "Connections made and kept, by backend.", ["backend"], multiprocess_mode="livesum"
)
EXHAUSTED = Counter("redis_pool_exhausted", "Connections wanted above what a process may have.", ["backend"])


@contextmanager
def asked_store() -> Generator[None]:
    """Stands around one call of the store, and counts how long it took and whether it was answered."""
    began = perf_counter()
    try:
        yield
    except BaseException:
        _FAILED.observe(perf_counter() - began)
        raise
    _ANSWERED.observe(perf_counter() - began)


class CacheFigures:
    """The counts of one cache."""

    def __init__(self, cache: str) -> None:
        self._hits, self._misses = (CACHE_REQUESTS.labels(cache, each) for each in ("hit", "miss"))

    def count(self, asked: int, found: int) -> None:
        """Counts so many values asked for, of which so many were found."""
        if found:
            self._hits.inc(found)
        if asked > found:
            self._misses.inc(asked - found)
