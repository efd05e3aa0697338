"""From a site and costs to cores, processes and nodes at the peak."""

import msgspec

from bench.model import fanout
from bench.model.code import COUNTS_SECONDS, RENEWED_SECONDS, TWEET_CACHE_SECONDS
from bench.model.costs import Costs
from bench.model.site import DAY, Site

REPLICAS = 3
WRITE_REPLICAS, READ_REPLICAS = 3, 2
"""Every replica writes; two of three read at LOCAL_QUORUM."""
UTILISATION = 0.6
"""Of web and workers at the peak."""
SERVER_UTILISATION = 0.5
"""Of Redis, whose one thread everybody waits for, of Cassandra, which compacts besides, and of SQL."""
CORES_A_MACHINE = 16
SQL_QUERIES_A_CORE = 4_000
SQL_SECONDS = 0.69e-3
"""A query's processor time in a web process: token from SQL instead of Redis."""
SOCKETS_A_PROCESS = 5_000
PAGE_ENTRIES = 20
MERGE_TRIP_WEB = 75e-6
"""Of a round trip more: three Redis calls took 150 µs more than one that does the same."""
MERGED_MEASURED = 30
REDIS_GB = 20.0
"""Of values in a node of 32 GB: fragmentation, buffers and growth take the rest."""
CASSANDRA_TB = 2.0
"""Of data in a node of 4 TB: half must stay free for compaction and repair."""


class Load(msgspec.Struct, frozen=True):
    """One operation at the peak: how often a second, and the cores that it takes of each kind.

    `workers` are processes that are busy, waiting for an answer included. `sql` is queries a second.
    """

    name: str
    per_second: float
    web: float = 0.0
    workers: float = 0.0
    redis: float = 0.0
    broker: float = 0.0
    cassandra: float = 0.0
    sql: float = 0.0


def loads(site: Site, costs: Costs) -> list[Load]:
    tweets = site.tweets_a_second
    return [
        _home(site, costs, site.homes_a_tweet * tweets),
        _user(site, costs, site.users_a_tweet * tweets),
        _post(site, costs, tweets),
        _fan_out(site, costs, tweets),
        _cold(site, costs, "cold reads: who comes back", returns_a_second(site)),
        _cold(site, costs, "cold reads: the graph changed", rebuilds_a_second(site)),
    ]


def total(found: list[Load]) -> Load:
    def add(field: str) -> float:
        return sum(float(getattr(each, field)) for each in found)

    fields = ("web", "workers", "redis", "broker", "cassandra", "sql")
    return Load("in all", 0.0, **{field: add(field) for field in fields})


def returns_a_second(site: Site) -> float:
    return site.people * site.activity.returns_a_day(site.active_days) * site.peak / DAY


def rebuilds_a_second(site: Site) -> float:
    return site.active * site.graph_changes * site.peak / DAY


def token_miss(site: Site) -> float:
    """Of a visitor's requests, those that find their token and account old, and renew them."""
    return 1 / (1 + RENEWED_SECONDS / site.visit_seconds)


def card_miss(site: Site) -> float:
    """Of the entries of pages, those whose author's account is to be renewed.

    It is asked for as often as the author's entries are read: a cache with a time to live misses
    one of 1 + rate · time. Entries are of an author as often as the author has followers.
    """
    entries = site.homes_a_tweet * site.tweets_a_second * PAGE_ENTRIES
    bands = fanout.bands(site)
    weight = sum(share * followers for share, followers in bands)
    a_follower = entries * site.tweets_of_a_person / (site.tweets * weight)
    missed = (share * followers / (1 + a_follower * followers * RENEWED_SECONDS) for share, followers in bands)
    return sum(missed) / weight


def card_queries(site: Site) -> float:
    """SQL queries a page for its authors: one for all that are missing."""
    return 1 - float((1 - card_miss(site)) ** PAGE_ENTRIES)


def merging(site: Site, costs: Costs) -> tuple[float, float]:
    """Seconds of web and of Redis that merging adds to a home read."""
    if site.merged_of_a_reader <= 0:
        return 0.0, 0.0
    share = site.merged_of_a_reader / MERGED_MEASURED
    return MERGE_TRIP_WEB + share * max(costs.merged_web - MERGE_TRIP_WEB, 0.0), share * costs.merged_redis


def _home(site: Site, costs: Costs, rate: float) -> Load:
    web, redis = merging(site, costs)
    queries = rate * (token_miss(site) + card_queries(site))
    return Load(
        "home reads",
        rate,
        web=rate * (costs.home_web + web) + queries * SQL_SECONDS,
        redis=rate * (costs.home_redis + redis),
        sql=queries,
    )


def _user(site: Site, costs: Costs, rate: float) -> Load:
    queries = rate * (token_miss(site) + card_miss(site))
    return Load(
        "user timelines",
        rate,
        web=rate * costs.user_web + queries * SQL_SECONDS,
        redis=rate * costs.user_redis,
        cassandra=rate * costs.user_cassandra * READ_REPLICAS,
        sql=queries,
    )


def _post(site: Site, costs: Costs, rate: float) -> Load:
    """With what an order costs Cassandra, whoever it goes to."""
    queries = rate * token_miss(site)
    return Load(
        "posts",
        rate,
        web=rate * costs.post_web + queries * SQL_SECONDS,
        redis=rate * costs.post_redis,
        cassandra=rate * costs.post_cassandra * WRITE_REPLICAS,
        sql=queries,
    )


def _fan_out(site: Site, costs: Costs, rate: float) -> Load:
    mean = fanout.mean_work(site, costs)
    pushed = site.followers.mean(up_to=site.pushed_limit)
    return Load(
        "fan-out orders",
        rate,
        workers=rate * mean.worker_seconds,
        redis=rate * mean.redis_seconds,
        broker=rate * costs.post_broker * fanout.mean_tasks(site, costs),
        cassandra=rate * pushed * costs.lookup_cassandra * READ_REPLICAS,
    )


def _cold(site: Site, costs: Costs, name: str, rate: float) -> Load:
    return Load(
        name,
        rate,
        web=rate * costs.cold_web,
        redis=rate * costs.cold_redis,
        cassandra=rate * costs.cold_cassandra * READ_REPLICAS,
    )


class Machines(msgspec.Struct, frozen=True):
    """What the peak takes, with room. Fractions are kept: who reads them rounds up."""

    web_processes: float
    workers: float
    live_processes: float
    redis_by_cpu: float
    redis_by_memory: float
    brokers: float
    cassandra_by_cpu: float
    cassandra_by_disk: float
    sql_cores: float

    @property
    def redis(self) -> float:
        return max(self.redis_by_cpu, self.redis_by_memory)

    @property
    def cassandra(self) -> float:
        return max(self.cassandra_by_cpu, self.cassandra_by_disk)


def machines(site: Site, costs: Costs) -> Machines:
    whole = total(loads(site, costs))
    return Machines(
        web_processes=whole.web / UTILISATION,
        workers=whole.workers / UTILISATION,
        live_processes=site.active * site.connected_share / SOCKETS_A_PROCESS,
        redis_by_cpu=whole.redis / SERVER_UTILISATION,
        redis_by_memory=sum(memory(site, costs).values()) / (REDIS_GB * 1e9),
        brokers=whole.broker / SERVER_UTILISATION,
        cassandra_by_cpu=whole.cassandra / SERVER_UTILISATION / CORES_A_MACHINE,
        cassandra_by_disk=sum(storage_a_year(site, costs).values()) / (CASSANDRA_TB * 1e12),
        sql_cores=whole.sql / SQL_QUERIES_A_CORE / SERVER_UTILISATION,
    )


RECENT_BYTES = 4_200.0
SLACK_BYTES = 50 * 11.0
"""Half of the slack beyond the cap, an entry at a time as Redis allocates it."""


def memory(site: Site, costs: Costs) -> dict[str, float]:
    """Bytes of values in the timelines' Redis, by what they are."""
    counted = min(site.homes_a_tweet * site.tweets_a_second * PAGE_ENTRIES * COUNTS_SECONDS, site.tweets)
    entries = costs.timeline_bytes * site.timeline_cap / 800
    return {
        "timelines": site.active * (entries + SLACK_BYTES),
        "cached tweets, two days": site.tweets * TWEET_CACHE_SECONDS / DAY * costs.tweet_bytes,
        "counts, a minute": counted * costs.counts_bytes,
        "other keys of today's readers": site.people * site.activity.share(1) * costs.reader_bytes,
        "recent lists of merged authors": site.merged_authors * site.shards * RECENT_BYTES,
    }


def process_memory(site: Site, costs: Costs) -> float:
    """Bytes of all web processes and workers."""
    size = machines(site, costs)
    return size.web_processes * costs.web_bytes + size.workers * costs.worker_bytes


def storage_a_year(site: Site, costs: Costs) -> dict[str, float]:
    """Bytes on all replicas: a year's tweets, and the edges as they stand."""
    return {
        "tweets, a year": site.tweets * 365 * costs.tweet_disk * REPLICAS,
        "follows": site.people * site.followees * costs.follow_disk * REPLICAS,
    }
