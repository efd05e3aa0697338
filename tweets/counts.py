"""How many replies a tweet has: counted in the store, cached for a short while."""

from collections.abc import Iterable, Mapping, Sequence

from storage.cache import GuardedCache
from storage.redis import Command, timeline_node

TTL_SECONDS = 60

_cache: GuardedCache[int] = GuardedCache(timeline_node, lambda tweet_id: f"replies:{tweet_id}", ttl_seconds=TTL_SECONDS)


def read(ids: Sequence[int]) -> Command:
    return _cache.read(ids)


def hits(ids: Sequence[int], answer: Sequence[bytes | None]) -> dict[int, int]:
    return {tweet_id: int(value) for tweet_id, value in _cache.hits(ids, answer).items()}


def fill(counted: Mapping[int, int]) -> list[Command]:
    return _cache.fill({tweet_id: str(count).encode() for tweet_id, count in counted.items()})


def invalidate(ids: Iterable[int]) -> list[Command]:
    return _cache.invalidate(ids)
