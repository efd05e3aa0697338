"""A cache in Redis that never brings back what a writer has changed.

Readers fill it, writers invalidate it, and both may meet: a reader takes the old value from
the store, the writer changes the store and invalidates, and only then does the reader's fill
arrive. So an invalidation does not delete: it leaves a *guard* (an empty value) that lives
longer than any fill can take, and fills are set-if-absent. While a guard stands, readers
read the store and fill nothing.

A flush, a restart or a failover forgets guards. So a fill carries the node's generation, noted
before the store was read, and is refused under another one (redis/generations.py). The
generation is read in the same command as the values, and a reader of a value has it at hand.

If Redis was down when a writer invalidated, an old value lives on for at most `ttl_seconds`;
caches of things whose change must be in force within seconds have a `ttl_seconds` of seconds.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from django.conf import settings

from storage.redis.generations import fill_commands, noted
from storage.redis.node import RedisNode
from storage.redis.reads import Command
from storage.redis.shards import generation_key, generation_keys, shard_tag

K = TypeVar("K", bound=Hashable)

KEYS_KEPT = 8_192
"""About 200 bytes each. A page asks for 40 of them, and the next page for most of the same."""
GUARD = b""
GUARD_SECONDS = 30
"""Longer than the slowest store read (5 s) and the fill (0.5 s) behind it, with room."""


class GuardedCache(Generic[K]):
    """Values by K, which belongs to a shard and has a name there.

    Gives commands for a round trip, so that callers may send them together with others.
    """

    def __init__(
        self, node: Callable[[], RedisNode], shard: Callable[[K], int], name: Callable[[K], str], *, ttl_seconds: int
    ) -> None:
        self._node = node
        self._shard = shard
        self._name = name
        self._ttl_seconds = ttl_seconds
        self._key_among = lru_cache(KEYS_KEPT)(self._made_key)

    def key(self, each: K) -> str:
        return self._key_among(each, settings.TIMELINE_SHARDS)

    def _made_key(self, each: K, _shards: int) -> str:
        """Among so many shards as there are: that number is part of what it depends on."""
        return f"{shard_tag(self._shard(each))}:{self._name(each)}"

    def read(self, ids: Sequence[K]) -> Command:
        """One command; its answer belongs into `hits` and `noted`. `ids` must not be empty."""
        shards = dict.fromkeys(self._shard(each) for each in ids)
        return ("MGET", *map(self.key, ids), *map(generation_key, shards))

    def read_with(self, other: "GuardedCache[K]", ids: Sequence[K]) -> Command:
        """As `read` of both in one command, for many `ids`: with the generation of every shard, once.

        Its answer is this one's values, and then what `read` of the other would answer.
        """
        shards = settings.TIMELINE_SHARDS
        ours, others = self._key_among, other._key_among
        return (
            "MGET",
            *[ours(each, shards) for each in ids],
            *[others(each, shards) for each in ids],
            *generation_keys(),
        )

    @staticmethod
    def hits(ids: Sequence[K], answer: Sequence[bytes | None]) -> dict[K, bytes]:
        """The cached values by id; what is missing or guarded is left out."""
        return {each: value for each, value in zip(ids, answer, strict=False) if value}

    def noted(self, *reads: tuple[Sequence[K], Sequence[bytes | None]]) -> bytes | None:
        """The generation under which these (ids, answer) were read: for `fill`; see generations.noted."""
        return noted(self._node(), [each for ids, answer in reads for each in answer[len(ids) :]])

    def fill(self, values: Mapping[K, bytes], *, noted: bytes | None) -> list[Command]:
        """Commands that keep `values` (never empty ones) unless something stands there already.

        `noted` before they were read from the store; nothing is kept under another generation, or None.
        """
        return self._set(values, noted, absent_only=True)

    def overwrite(self, values: Mapping[K, bytes], *, noted: bytes | None) -> list[Command]:
        """As `fill`, whatever stands there, guards as well."""
        return self._set(values, noted, absent_only=False)

    def invalidate(self, ids: Iterable[K]) -> list[Command]:
        """Commands to send after the store was written and before the writer is answered."""
        return [("SET", self.key(each), GUARD, "EX", GUARD_SECONDS) for each in ids]

    def _set(self, values: Mapping[K, bytes], noted: bytes | None, *, absent_only: bool) -> list[Command]:
        if noted is None:
            return []
        shards: dict[int, list[tuple[str, bytes]]] = {}
        for each, value in values.items():
            shards.setdefault(self._shard(each), []).append((self.key(each), value))
        return fill_commands(shards, generation=noted, seconds=self._ttl_seconds, absent_only=absent_only)
