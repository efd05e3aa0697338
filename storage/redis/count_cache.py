"""Cached counts: exact up to LARGE, at most a minute old above it.

A count is of edges or tweets in the store, never kept beside them. An ordinary one is cached
guarded (storage/redis/guarded_cache.py), so whoever reads it after a change has answered counts anew. That
would let everyone who looks at a celebrity count millions, since something changes there all
the time: a count above LARGE stands under a key of its own, which changes leave alone and
which ends by itself.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import msgspec

from storage.errors import Unavailable
from storage.redis.guarded_cache import Cached, GuardedCache
from storage.redis.node import RedisNode, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import Generations, timeline_shard

LARGE = 10_000
"""Counting so many takes some ten milliseconds."""
TTL_SECONDS = 10
"""If Redis was down when something changed, the old count is gone 10 s after its return."""
LARGE_TTL_SECONDS = 60


class CachedCount(msgspec.Struct, frozen=True):
    """A count, None where the cache does not know it, and the generation as `Cached` has it."""

    count: int | None
    generation: Mapping[int, bytes | None]


class CountCache(GuardedCache[int, int]):
    """Counts by id, called `name` in the id's shard. `count` asks the store, of many at once.

    Guards are of ordinary counts only.
    """

    def __init__(
        self, node: Callable[[], RedisNode], name: str, count: Callable[[Sequence[int]], Mapping[int, int]]
    ) -> None:
        self.count = count
        super().__init__(
            node, timeline_shard, lambda each: f"{name}:{each}", encode=_encode, decode=int, ttl_seconds=TTL_SECONDS
        )
        self._large: GuardedCache[int, int] = GuardedCache(
            node,
            timeline_shard,
            lambda each: f"{name}:{each}:large",
            encode=_encode,
            decode=int,
            ttl_seconds=LARGE_TTL_SECONDS,
        )

    def read_count(self, subject: int) -> Read[CachedCount]:
        """Returns the subject's count, whichever way it is cached. Two commands."""
        large, ordinary = self._large.read([subject]), self.read([subject])

        def decode(large_answer: Sequence[bytes | None], answer: Sequence[bytes | None]) -> CachedCount:
            found: list[Cached[int, int]] = [large.decode(large_answer), ordinary.decode(answer)]
            count = next((each.values[subject] for each in found if each.values), None)
            return CachedCount(count, found[1].generation)

        return Read((*large.commands, *ordinary.commands), decode)

    def fill_count(self, subject: int, count: int, *, generation: Generations | None) -> list[Command]:
        """Commands that keep the count, unless the `generation` from before counting has ended."""
        cache = self._large if count > LARGE else self
        return cache.fill({subject: count}, generation=generation)


Wanted = tuple[CountCache, int]
"""In which cache's sense something of that id is to be counted."""


def counts_of(subject: int, caches: Sequence[CountCache]) -> list[int]:
    """Returns the subject's count in each cache's sense; costs and errors as of `counts_of_many`."""
    found = counts_of_many([(cache, subject) for cache in caches])
    return [found[cache, subject] for cache in caches]


def counts_of_many(wanted: Collection[Wanted]) -> dict[Wanted, int]:
    """Returns each count that is wanted.

    One Redis round trip; for what is not cached, the store's counting, of all in one cache's sense together, and one
    more. Raises `Unavailable` when the store is needed and does not answer.
    """
    node, asked = timeline_node(), list(dict.fromkeys(wanted))
    try:
        known = dict(zip(asked, node.ask_all([cache.read_count(subject) for cache, subject in asked]), strict=True))
    except Unavailable:
        return _counted(asked)
    generation = node.generation_of(*(each.generation for each in known.values())) if known else None
    counted = _counted([each for each in asked if known[each].count is None])
    fills = [
        command
        for (cache, subject), count in counted.items()
        for command in cache.fill_count(subject, count, generation=generation)
    ]
    if fills:
        with suppress(Unavailable):
            node.round_trip(*fills)
    return {each: counted[each] if found.count is None else found.count for each, found in known.items()}


def _counted(wanted: Sequence[Wanted]) -> dict[Wanted, int]:
    subjects: dict[CountCache, list[int]] = {}
    for cache, subject in wanted:
        subjects.setdefault(cache, []).append(subject)
    return {(cache, each): count for cache, some in subjects.items() for each, count in cache.count(some).items()}


def _encode(count: int) -> bytes:
    return str(count).encode()
