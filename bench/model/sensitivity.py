"""How the plan changes with three settings, each by itself."""

import msgspec
from msgspec import structs

from bench.model import demand, fanout
from bench.model.costs import Costs
from bench.model.site import DAY, Site

DAYS = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0)
LIMITS = (2_500.0, 10_000.0, 50_000.0, 100_000.0, 500_000.0, 1_000_000.0, 10_000_000.0, 0.0)
"""0: everybody is pushed."""
SHARD_COUNTS = (8.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0)


class Days(msgspec.Struct, frozen=True):
    active_days: float
    active: float
    timeline_bytes: float
    deliveries_a_day: float
    returns_a_day: float
    redis_cores: float
    cold_cores: float
    """Of web and Cassandra, for those who come back."""


def by_days(site: Site, costs: Costs) -> list[Days]:
    found = []
    for days in DAYS:
        varied = structs.replace(site, active_days=days)
        loads = {load.name: load for load in demand.loads(varied, costs)}
        cold = loads["cold reads: who comes back"]
        deliveries = site.tweets * site.followers.mean(up_to=site.pushed_limit) * varied.share_of_followers
        found.append(
            Days(
                days,
                varied.active,
                demand.memory(varied, costs)["timelines"],
                deliveries,
                varied.people * varied.activity.returns_a_day(days),
                loads["fan-out orders"].redis,
                cold.web + cold.cassandra,
            )
        )
    return found


class Pushing(msgspec.Struct, frozen=True):
    push_max_followers: float
    deliveries_a_day: float
    merged_authors: float
    merged_of_a_reader: float
    fan_out_cores: float
    """Workers and Redis, that fan-out keeps busy."""
    merging_cores: float
    """Web and Redis, that merging adds to home reads."""
    largest_seconds: float
    """Until the largest author's tweet is delivered, if nothing else holds up half of the workers."""

    @property
    def cores(self) -> float:
        return self.fan_out_cores + self.merging_cores


def by_limit(site: Site, costs: Costs) -> list[Pushing]:
    found = []
    for limit in LIMITS:
        varied = structs.replace(site, push_max_followers=limit)
        mean = fanout.mean_work(varied, costs)
        reads = site.homes_a_tweet * site.tweets_a_second
        pushed = varied.followers.mean(up_to=varied.pushed_limit) * varied.share_of_followers
        found.append(
            Pushing(
                limit,
                site.tweets * pushed,
                varied.merged_authors,
                varied.merged_of_a_reader,
                site.tweets_a_second * (mean.worker_seconds + mean.redis_seconds),
                reads * sum(demand.merging(varied, costs)),
                _alone(varied, costs),
            )
        )
    return found


def _alone(site: Site, costs: Costs) -> float:
    """Parts side by side, each of them task by task, in the half of the workers that takes bulk first."""
    largest = fanout.work(site, costs, min(site.pushed_limit, site.people))
    hands = demand.machines(site, costs).workers / 2
    rounds = max(largest.tasks_a_part, largest.parts * largest.tasks_a_part / hands)
    return largest.task_seconds + rounds * largest.part_task_seconds


class Sharding(msgspec.Struct, frozen=True):
    shards: float
    calls_a_tweet: float
    """Script calls of a tweet's mean order."""
    worker_ms: float
    redis_ms: float
    workers: float
    redis_nodes: float
    """That the peak needs; there can be no more than shards."""


def by_shards(site: Site, costs: Costs) -> list[Sharding]:
    found = []
    for shards in SHARD_COUNTS:
        varied = structs.replace(site, shards=shards)
        mean, size = fanout.mean_work(varied, costs), demand.machines(varied, costs)
        calls = sum(share * fanout.shards_touched(varied, followers) for share, followers in fanout.bands(varied))
        found.append(
            Sharding(shards, calls, mean.worker_seconds * 1e3, mean.redis_seconds * 1e3, size.workers, size.redis)
        )
    return found


def after_loss(site: Site, costs: Costs, nodes: float) -> tuple[float, float]:
    """(timelines to be made anew, seconds until half of their readers have read) after one of `nodes` was lost.

    As fast as people read: the peak's reads, spread over all active people.
    """
    lost = site.active / nodes
    reads_a_second = site.homes_a_tweet * site.tweets_a_second
    seconds = 0.693 * site.active / reads_a_second
    return lost, seconds


def a_day(rate_at_peak: float, site: Site) -> float:
    """What a rate at the peak makes in a day of mean load."""
    return rate_at_peak / site.peak * DAY
