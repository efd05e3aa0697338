"""Bytes on the network at the peak."""

from bench.model import fanout
from bench.model.costs import Costs
from bench.model.demand import PAGE_ENTRIES
from bench.model.site import Site

PAGE_BYTES = 12_000.0
"""A page of 20 tweets, with its head."""
FOLLOWER_BYTES = 70.0
"""A follower's key in a script call and id in the look-up of presence, with their lengths, and the answers."""
CALL_BYTES = 250.0
"""A script call's digest, entry, snapshot and own keys, and the look-up beside it."""
FOLLOWER_ROW_BYTES = 12.0
"""An id on its way from Cassandra."""
TWEET_ROWS_BYTES = 900.0
"""A tweet's batch of rows, with statements' ids and times, to one replica."""


def gigabits(site: Site, costs: Costs) -> dict[str, float]:
    """Gbit/s by what it is."""
    tweets, reads = site.tweets_a_second, site.homes_a_tweet * site.tweets_a_second
    users = site.users_a_tweet * site.tweets_a_second
    pushed = tweets * site.followers.mean(up_to=site.pushed_limit)
    calls = tweets * sum(share * fanout.shards_touched(site, each) for share, each in fanout.bands(site))
    page = PAGE_ENTRIES * (costs.tweet_bytes + costs.counts_bytes)
    found = {
        "pages to clients": (reads + users) * PAGE_BYTES,
        "Redis to web: tweets and counts of pages": (reads + users) * page,
        "workers to Redis: deliveries and look-ups": pushed * FOLLOWER_BYTES + calls * CALL_BYTES,
        "Cassandra to workers: followers": pushed * FOLLOWER_ROW_BYTES,
        "Cassandra: tweets to three replicas": tweets * TWEET_ROWS_BYTES * 4,
    }
    return {name: bytes_a_second * 8 / 1e9 for name, bytes_a_second in found.items()}
