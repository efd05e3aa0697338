"""The largest partitions, how many there are a day, and how much of them one partition takes.

A partition below 100 MB is what Cassandra is good with. Bytes of a row are uncompressed, as a partition
is held against that; a row's cells, key and time are counted at what a row of that many columns takes.
"""

import msgspec

from bench.model.code import (
    DISCARD_SECONDS,
    EDGES_PER_BUCKET,
    MAX_LEVEL,
    OUTBOX_GRACE_SECONDS,
    OUTBOX_SHARDS,
    REQUESTS_A_MINUTE,
)
from bench.model.site import DAY, Site

ROW_BYTES = 20.0
"""A clustering key of 8 bytes, its time to the microsecond, flags."""
OUTBOX_ROW_BYTES = 550.0
"""Beside that: kind, two ids in a list, done with its time to live, and the text of what is owed (docs/adr/044)."""
LISTING_ROW_BYTES = 30.0
MINUTE = 60.0
DAY_MINUTES = DAY / MINUTE
RATE_LIMIT_A_MONTH = REQUESTS_A_MINUTE * 60 * 24 * 30.0
"""Tweets that the limit of 300 requests a minute lets a program post."""
VIRAL_LIKES = 5e6
FOLLOWED_A_MONTH = 0.02
"""Of the site, by whoever it talks about: assumed."""


class Partition(msgspec.Struct, frozen=True):
    """`a_day` partitions begin each day; the largest holds `rows`."""

    table: str
    what: str
    rows: float
    bytes: float
    a_day: float | None = None


def partitions(site: Site) -> list[Partition]:
    minute = site.tweets_a_second * MINUTE / OUTBOX_SHARDS
    month = site.tweets_of_a_person * 30
    buckets = site.people / min(2**MAX_LEVEL, max(1.0, site.people / EDGES_PER_BUCKET))
    followed = site.people * FOLLOWED_A_MONTH
    return [
        _partition("outbox", "a minute and shard, at the peak", minute, OUTBOX_ROW_BYTES, OUTBOX_SHARDS * DAY_MINUTES),
        _partition("public_tweets", "a minute and shard, at the peak", minute, ROW_BYTES, OUTBOX_SHARDS * DAY_MINUTES),
        _partition("public_minutes", "a month", 30 * DAY_MINUTES * OUTBOX_SHARDS, ROW_BYTES),
        _partition("tweets_by_author", "a month of an active person", month, ROW_BYTES),
        _partition("tweets_by_author", "a month of a program at the rate limit", RATE_LIMIT_A_MONTH, ROW_BYTES),
        _partition("edges_in", "a bucket of whom everybody follows", buckets, LISTING_ROW_BYTES),
        _partition("edges_by_time", "a month of new followers, 2 % of the site", followed, LISTING_ROW_BYTES),
        _partition("edges_by_time", "a month of likes, five million of one tweet", VIRAL_LIKES, LISTING_ROW_BYTES),
    ]


def _partition(table: str, what: str, rows: float, row_bytes: float, a_day: float | None = None) -> Partition:
    return Partition(table, what, rows, rows * row_bytes, a_day)


def outbox_rows_kept(site: Site) -> float:
    """Done or not, until their minute is closed, looked at, and forgotten: at the peak."""
    return site.tweets_a_second * (MINUTE + OUTBOX_GRACE_SECONDS + DISCARD_SECONDS)


def outbox_minutes_kept() -> float:
    """Partitions of the outbox that exist, of all shards, when all goes well."""
    return OUTBOX_SHARDS * (MINUTE + OUTBOX_GRACE_SECONDS + DISCARD_SECONDS) / MINUTE
