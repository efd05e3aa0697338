"""A cache in Redis that never brings back what a writer has changed.

Readers fill it, writers invalidate it, and both may meet: a reader takes the old value from
the store, the writer changes the store and invalidates, and only then does the reader's fill
arrive. So an invalidation does not delete: it leaves a *guard* (an empty value) that lives
longer than any fill can take, and fills are set-if-absent. While a guard stands, readers
read the store and fill nothing.

If Redis was down when a writer invalidated, an old value lives on for at most `ttl_seconds`;
caches of things whose change must be in force within seconds have a `ttl_seconds` of seconds.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from storage.redis import Command, RedisNode

K = TypeVar("K", bound=Hashable)

GUARD = b""
GUARD_SECONDS = 30
"""Longer than the slowest store read (5 s) and the fill (0.5 s) behind it, with room."""


class GuardedCache(Generic[K]):
    """Values by K, of which `key` makes the Redis key.

    Gives commands for a round trip, so that callers may send them together with others.
    """

    def __init__(self, node: Callable[[], RedisNode], key: Callable[[K], str], *, ttl_seconds: int) -> None:
        self._node = node
        self._key = key
        self._ttl_seconds = ttl_seconds

    def read(self, ids: Sequence[K]) -> Command:
        """One command; its answer belongs into `hits`. `ids` must not be empty."""
        return ("MGET", *(self._key(each) for each in ids))

    @staticmethod
    def hits(ids: Sequence[K], answer: Sequence[bytes | None]) -> dict[K, bytes]:
        """The cached values by id; what is missing or guarded is left out."""
        return {each: value for each, value in zip(ids, answer, strict=True) if value}

    def fill(self, values: Mapping[K, bytes]) -> list[Command]:
        """Commands that keep `values` (never empty ones) unless something stands there already."""
        return [("SET", self._key(each), value, "NX", "EX", self._ttl_seconds) for each, value in values.items()]

    def invalidate(self, ids: Iterable[K]) -> list[Command]:
        """Commands to send after the store was written and before the writer is answered."""
        return [("SET", self._key(each), GUARD, "EX", GUARD_SECONDS) for each in ids]
