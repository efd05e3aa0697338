"""What stores and caches count for Prometheus, each beside its own work and without a round trip.

    store_seconds                       one call of Cassandra, or one write of the embedded store, answered or not
    cache_requests_total{cache,outcome} values that were looked up, found (`hit`) or not (`miss`)
    redis_connections{backend}          that are open; those in use are among them
    redis_pool_exhausted_total{backend} times that a process wanted one more than it may have

Children are looked up as a module is loaded: what a request pays is an addition, and no label of a client's is met.
"""

from prometheus_client import Counter, Gauge, Histogram

STORE_SECONDS = Histogram("store_seconds", "A call of the store, answered or not.")
CACHE_REQUESTS = Counter("cache_requests", "Values looked up in a cache.", ["cache", "outcome"])
CONNECTIONS = Gauge(
    "redis_connections", "Connections that are open, by backend.", ["backend"], multiprocess_mode="livesum"
)
EXHAUSTED = Counter("redis_pool_exhausted", "Connections wanted above what a process may have.", ["backend"])


def looked_up_in(cache: str) -> tuple[Counter, Counter]:
    """Returns the counters of what is found in the cache, and of what is not."""
    return CACHE_REQUESTS.labels(cache, "hit"), CACHE_REQUESTS.labels(cache, "miss")
