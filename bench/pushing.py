"""What fan-out is compared with: pushes without guarantees, from one client, into as many lists.

*Bare*: one Lua call for 500 lists of a shard, LPUSHX, trimmed past the product's slack; keys as the
product's, and made before the clock starts. Nothing is checked: neither order nor repetition, nobody
leaves, nothing is deleted, no outbox, no queue, no list of followers is read.

*Sorted sets*: ZADD and ZREMRANGEBYRANK for each follower through redis-py's pipeline, 500 of them at a
time, as Mastodon, Stream-Framework and Pixelfed do.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis
from django.conf import settings

from bench.crowds import LENGTHS, copy_evenly
from fanout.timelines import layout, materialised
from storage import stores
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard, user_tag

CHUNK = 500
SCRIPT = Path(__file__).parent / "lua" / "bare_push.lua"


def bare_key(reader: int) -> str:
    """As long as a timeline's."""
    return f"{user_tag(reader)}:bare:{reader}"


def sorted_key(reader: int) -> str:
    return f"{user_tag(reader)}:zset:{reader}"


class Bare:
    """Lists of the same entries as the readers' timelines."""

    def __init__(self, readers: Sequence[int], ids: Sequence[int]) -> None:
        self._client = redis.Redis.from_url(timeline_node().url)
        self._push = self._client.register_script(SCRIPT.read_text())
        for of_shard in by_shard(readers).values():
            for reader, above in zip(of_shard, LENGTHS, strict=False):
                packed = [layout.pack(each) for each in ids[: settings.TIMELINE_CAP + above]]
                self._client.rpush(bare_key(reader), *packed)
            copy_evenly(of_shard[: len(LENGTHS)], of_shard[len(LENGTHS) :], bare_key)

    def push(self, crowds: Sequence[Sequence[int]], tweets: int) -> float:
        """Deliveries a second, of tweets to each crowd in turn."""
        chunks = [list(_chunks(readers)) for readers in crowds]
        began = time.perf_counter()
        for number in range(tweets):
            entry = layout.pack(stores.ids.next())
            for keys in chunks[number % len(crowds)]:
                self._push(keys, (entry, settings.TIMELINE_CAP, materialised.TRIM_SLACK))
        return tweets * len(crowds[0]) / (time.perf_counter() - began)


def _chunks(readers: Sequence[int]) -> Iterator[list[str]]:
    for of_shard in by_shard(readers).values():
        for start in range(0, len(of_shard), CHUNK):
            yield [bare_key(each) for each in of_shard[start : start + CHUNK]]


class Sorted:
    """Sorted sets of the same entries, by their milliseconds: a snowflake does not fit a score."""

    def __init__(self, readers: Sequence[int], ids: Sequence[int]) -> None:
        self._client = redis.Redis.from_url(timeline_node().url)
        entries = {str(each): each >> 22 for each in ids[: settings.TIMELINE_CAP]}
        for of_shard in by_shard(readers).values():
            self._client.zadd(sorted_key(of_shard[0]), entries)
            copy_evenly(of_shard[:1], of_shard[1:], sorted_key)

    def push(self, readers: Sequence[int], tweets: int) -> float:
        """Deliveries a second."""
        keys = [sorted_key(each) for each in readers]
        began = time.perf_counter()
        for _ in range(tweets):
            entry = stores.ids.next()
            for start in range(0, len(keys), CHUNK):
                with self._client.pipeline(transaction=False) as pipeline:
                    for key in keys[start : start + CHUNK]:
                        pipeline.zadd(key, {str(entry): entry >> 22})
                        pipeline.zremrangebyrank(key, 0, -settings.TIMELINE_CAP - 1)
                    pipeline.execute()
        return tweets * len(readers) / (time.perf_counter() - began)
