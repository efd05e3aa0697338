"""What cannot be had more of by starting more of it, and how far each such thing is from its end.

Web processes, workers and nodes of Cassandra are added as the load grows; none of these is a limit. What
is listed here is one of its kind as the code stands, or a number in it. `room` is how many times the design point's
peak it carries; what has least breaks first.
"""

import msgspec

from bench.model import demand
from bench.model.code import EDGES_PER_BUCKET, MAX_LEVEL, MOST_SHARDS, OUTBOX_SHARDS, WORKERS
from bench.model.costs import Costs
from bench.model.partitions import OUTBOX_ROW_BYTES, partitions
from bench.model.site import Site

PARTITION_WRITES = 10_000.0
"""A second into one partition, on a node of 16 cores: one memtable's lock and three replicas. Assumed."""
SENT_BY_A_SWEEPER = 1_850.0
"""Messages a second that one process hands to Celery, as measured with a no-op task."""
WRITES_AN_ORDER = 2.0
"""Its row, and the mark."""
GOOD_PARTITION_BYTES = 100e6
REDIS_CLIENTS = 10_000.0
"""`maxclients`, as it ships."""
THREADS_A_WEB_PROCESS = 4.0
MASTER_SQL_CORES = 64.0
"""The largest single server that is easily had."""
NODES_OF_A_CLUSTER = 1_000.0
"""As the specification of Redis Cluster says: "up to 1000 nodes"."""


class Limit(msgspec.Struct, frozen=True):
    name: str
    why: str
    has: float
    needs: float
    unit: str
    remedy: str

    @property
    def room(self) -> float:
        return self.has / self.needs


def limits(site: Site, costs: Costs) -> list[Limit]:
    """The one with least room first."""
    found = [*_single_servers(site, costs), *_numbers_in_the_code(site, costs)]
    return sorted(found, key=lambda limit: limit.room)


def _single_servers(site: Site, costs: Costs) -> list[Limit]:
    whole, size = demand.total(demand.loads(site, costs)), demand.machines(site, costs)
    clients = size.web_processes * THREADS_A_WEB_PROCESS + size.workers
    return [
        Limit(
            "nodes of one cluster for timelines", "each speaks with each; a replica for every primary",
            NODES_OF_A_CLUSTER, 2 * size.redis, "nodes", "several clusters, by ranges of shards",
        ),
        Limit(
            "one SQL database", "tokens and accounts are renewed from it once an hour",
            MASTER_SQL_CORES * demand.SQL_QUERIES_A_CORE * demand.SERVER_UTILISATION, whole.sql, "queries/s",
            "longer lives (`RENEWED_SECONDS`), as notes and guards keep them right",
        ),
        Limit(
            "connections of one Redis", "each thread of web and each worker holds one",
            REDIS_CLIENTS, clients, "clients", "`maxclients`, and fewer threads a process",
        ),
    ]  # fmt: skip


def _numbers_in_the_code(site: Site, costs: Costs) -> list[Limit]:
    size = demand.machines(site, costs)
    rows = partitions(site)[0].rows
    return [
        Limit(
            "outbox: writes to one partition", f"{OUTBOX_SHARDS} shards a minute, each row written and marked",
            PARTITION_WRITES, site.tweets_a_second * WRITES_AN_ORDER / OUTBOX_SHARDS, "writes/s",
            "more shards (`SHARDS`, with a migration), or partitions of seconds",
        ),
        Limit(
            "outbox: bytes of one partition", f"{OUTBOX_SHARDS} shards a minute",
            GOOD_PARTITION_BYTES / 1e6, rows * OUTBOX_ROW_BYTES / 1e6, "MB",
            "more shards (`SHARDS`, with a migration), or partitions of seconds",
        ),
        Limit(
            "shards of timelines", f"at most {MOST_SHARDS:,} (`TIMELINE_SHARDS`), and no node without one",
            MOST_SHARDS, size.redis, "nodes", "none needed: a shard is a hash tag, and slots are 16,384",
        ),
        Limit(
            "buckets of followers", f"`MAX_LEVEL` {MAX_LEVEL}: {2**MAX_LEVEL:,} buckets of {EDGES_PER_BUCKET:,}",
            2**MAX_LEVEL * EDGES_PER_BUCKET, site.people, "followers",
            "none needed for long: buckets grow beyond, and such authors are merged at read",
        ),
        Limit(
            "worker numbers of ids", f"12 bits: {WORKERS:,} processes", float(WORKERS),
            size.web_processes + size.workers, "processes", "leases by machine, or more bits from the microseconds",
        ),
    ]  # fmt: skip


class Recovery(msgspec.Struct, frozen=True):
    """After so long without workers or broker at the peak: open orders, and until they are worked off."""

    outage_seconds: float
    open_orders: float
    worked_seconds: float
    """By the workers, whose room is what is left beside new orders."""
    sweepers: float
    """That keep the workers busy where the broker has not got the orders."""


def recoveries(site: Site) -> list[Recovery]:
    rate = site.tweets_a_second
    spare = rate * (1 / demand.UTILISATION - 1)
    outages = (60.0, 600.0, 3_600.0)
    return [Recovery(each, each * rate, each * rate / spare, spare / SENT_BY_A_SWEEPER) for each in outages]
