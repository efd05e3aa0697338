"""What one order costs a worker and the Redis of timelines, by the followers of its author.

As fanout/delivery/fan_out.py does it: up to a page of followers is one task; up to a bucket, the rest goes into one
part; above that each bucket is a part; a part is as many tasks in turn as it has PAGES_A_TASK pages.
A worker is one process and waits for what it asks, so an order takes its processor time and that of
Redis, and the round trips.
"""

import math
from functools import cache

import msgspec

from bench.model.code import EDGES_PER_BUCKET, IN_ONE_TRIP, MAX_LEVEL, PAGE, PAGES_A_TASK, PUSHED_AT_ONCE, SCRIPT_CHUNK
from bench.model.costs import Costs
from bench.model.site import Site

STORE_TRIP, REDIS_TRIP = 1.0e-3, 0.3e-3
"""Seconds within a data centre, a quorum and one server: assumed."""
STORE_TRIPS, REDIS_TRIPS = 6, 2
"""Of a small order; docs/architecture.md, "One POST, counted"."""
PAGE_STORE_TRIPS, PAGE_REDIS_TRIPS = 2, 2
"""Of each page of a part: whether the order is open, the followers; the snapshot, the first push."""
TASK_STORE_TRIPS = 2
"""Of each task of a part: its order, and which parts are finished."""
DECADES = 24
"""Bands of author sizes for each power of ten."""


class Work(msgspec.Struct, frozen=True):
    """What an order is made of. `task_seconds` and `part_task_seconds` are a worker's time for one task."""

    task_seconds: float
    parts: int = 0
    tasks_a_part: int = 0
    part_task_seconds: float = 0.0
    redis_seconds: float = 0.0

    @property
    def tasks(self) -> int:
        return 1 + self.parts * self.tasks_a_part

    @property
    def worker_seconds(self) -> float:
        return self.task_seconds + self.parts * self.tasks_a_part * self.part_task_seconds


def work(site: Site, costs: Costs, followers: float) -> Work:
    """Of the tweet of an author with so many followers."""
    first = costs.post_worker + STORE_TRIPS * STORE_TRIP + REDIS_TRIPS * REDIS_TRIP
    if followers > site.pushed_limit:
        return Work(first + site.shards * costs.shard_redis, redis_seconds=site.shards * costs.shard_redis)
    if followers <= PAGE:
        pushed = _push(site, costs, followers)
        return Work(first + pushed[0], redis_seconds=pushed[1])
    inline, parts = (PAGE, 1) if followers <= EDGES_PER_BUCKET else (0, 2 ** _level(followers))
    own = _push(site, costs, inline)
    a_part = (followers - inline) / parts
    tasks = math.ceil(a_part / (PAGE * PAGES_A_TASK))
    a_task = a_part / tasks
    pages = math.ceil(a_task / PAGE)
    worker, redis = (pages * each for each in _push(site, costs, a_task / pages))
    trips = pages * (PAGE_STORE_TRIPS * STORE_TRIP + PAGE_REDIS_TRIPS * REDIS_TRIP) + TASK_STORE_TRIPS * STORE_TRIP
    return Work(first + own[0], parts, tasks, costs.post_worker + trips + worker, own[1] + parts * tasks * redis)


def shards_touched(site: Site, followers: float) -> float:
    """By one push to so many, spread at random."""
    return site.shards * (1 - math.exp(followers * math.log1p(-1 / site.shards)))


def mean_work(site: Site, costs: Costs) -> Work:
    """Of a tweet taken at random; parts and tasks are rounded only in what they take."""
    return _mean_work(site, costs)


@cache
def _mean_work(site: Site, costs: Costs) -> Work:
    worker = redis = 0.0
    for share, followers in bands(site):
        each = work(site, costs, followers)
        worker += share * each.worker_seconds
        redis += share * each.redis_seconds
    return Work(worker, redis_seconds=redis)


@cache
def mean_tasks(site: Site, costs: Costs) -> float:
    """Messages a tweet: its order, and what its parts are made of."""
    return sum(share * work(site, costs, followers).tasks for share, followers in bands(site))


@cache
def bands(site: Site) -> list[tuple[float, float]]:
    """(share of tweets, followers) of bands of authors, from the smallest to the largest; shares sum to 1.

    The limit of pushing is an edge of a band, so that nobody is counted on the wrong side of it.
    """
    spread = site.followers
    decades = math.log10(spread.largest / spread.smallest)
    steps = math.ceil(decades * DECADES)
    edges = {spread.smallest * 10 ** (decades * step / steps) for step in range(steps)} | {spread.largest}
    edges |= {edge for edge in (float(PAGE), float(EDGES_PER_BUCKET), site.pushed_limit) if edge < spread.largest}
    return spread.bands(sorted(edges))


def _push(site: Site, costs: Costs, followers: float) -> tuple[float, float]:
    """Seconds of a worker, which waits for Redis, and of Redis, for a page; one round trip is counted elsewhere.

    Slices are of as few shards as possible: each but the first may split one more.
    """
    active = followers * site.share_of_followers
    inactive = followers - active
    pushes = 1 if followers <= IN_ONE_TRIP else math.ceil(followers / PUSHED_AT_ONCE)
    calls = max(shards_touched(site, followers), followers / SCRIPT_CHUNK) + pushes - 1
    redis = active * costs.delivery_redis + inactive * costs.lookup_redis + calls * costs.shard_redis
    own = active * costs.delivery_worker + inactive * costs.lookup_worker + calls * costs.shard_worker
    return own + redis + (pushes - 1) * REDIS_TRIP, redis


def _level(followers: float) -> int:
    return min(MAX_LEVEL, math.ceil(math.log2(followers / EDGES_PER_BUCKET)))
