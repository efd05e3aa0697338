"""Cached counts: exact up to LARGE, at most a minute old above it.

A count is of edges or tweets in the store, never kept beside them. An ordinary one is cached
guarded (storage/redis/guarded_cache.py), so whoever reads it after a change has answered counts anew. That
would let everyone who looks at a celebrity count millions, since something changes there all
the time: a count above LARGE stands under a key of its own, which changes leave alone and
which ends by itself.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from storage.errors import Unavailable
from storage.redis.generations import noted
from storage.redis.guarded_cache import GuardedCache
from storage.redis.node import RedisNode, timeline_node
from storage.redis.reads import Command
from storage.redis.shards import timeline_shard

LARGE = 10_000
"""Counting so many takes some ten milliseconds."""
TTL_SECONDS = 10
"""If Redis was down when something changed, the old count is gone 10 s after its return."""
LARGE_TTL_SECONDS = 60


class CountCache:
    """Counts by id, called `name` in the id's shard; `count` asks the store."""

    def __init__(self, node: Callable[[], RedisNode], name: str, count: Callable[[int], int]) -> None:
        self.count = count
        self._ordinary: GuardedCache[int] = GuardedCache(
            node, timeline_shard, lambda each: f"{name}:{each}", ttl_seconds=TTL_SECONDS
        )
        self._large: GuardedCache[int] = GuardedCache(
            node, timeline_shard, lambda each: f"{name}:{each}:large", ttl_seconds=LARGE_TTL_SECONDS
        )

    def read(self, subject: int) -> list[Command]:
        """Two commands; their answers belong into `hit`."""
        return [self._large.read([subject]), self._ordinary.read([subject])]

    @staticmethod
    def hit(answers: Sequence[Any]) -> int | None:
        """The cached count, None when there is none."""
        return next((int(answer[0]) for answer in answers if answer[0]), None)

    def fill(self, subject: int, count: int, *, noted: bytes | None) -> list[Command]:
        """Commands that keep the count, unless the generation that was `noted` before counting has ended."""
        cache = self._large if count > LARGE else self._ordinary
        return cache.fill({subject: str(count).encode()}, noted=noted)

    def invalidate(self, subjects: Iterable[int]) -> list[Command]:
        """Commands to send after the store was written and before the writer is answered."""
        return self._ordinary.invalidate(subjects)


def counts_of(subject: int, caches: Sequence[CountCache]) -> list[int]:
    """The subject's count in each cache's sense.

    One Redis round trip; for what is not cached, the store's counting and one more. Raises
    `Unavailable` when the store is needed and does not answer.
    """
    try:
        answers = timeline_node().round_trip(*(command for cache in caches for command in cache.read(subject)))
    except Unavailable:
        return [cache.count(subject) for cache in caches]
    generation = noted(timeline_node(), [answer[1] for answer in answers])
    hits = [CountCache.hit(answers[2 * place : 2 * place + 2]) for place in range(len(caches))]
    counts = [cache.count(subject) if hit is None else hit for cache, hit in zip(caches, hits, strict=True)]
    fills = [
        command
        for cache, hit, count in zip(caches, hits, counts, strict=True)
        if hit is None
        for command in cache.fill(subject, count, noted=generation)
    ]
    if fills:
        with suppress(Unavailable):
            timeline_node().round_trip(*fills)
    return counts
