"""A cache in Redis that never brings back what a writer has changed.

Readers fill it, writers invalidate it, and both may meet: a reader takes the old value from
the store, the writer changes the store and invalidates, and only then does the reader's fill
arrive. So an invalidation does not delete: it leaves a *guard* (an empty value) that lives
longer than any fill can take, and fills are set-if-absent. While a guard stands, readers
read the store and fill nothing.

For example, account 7 is called "ada" in the store and not cached:

1. A reader misses it, and reads "ada" from the store.
2. A writer makes it "countess" in the store, and sets `account:7` to the guard, for 30 s. The change is answered.
3. The reader's fill of "ada" arrives: something stands there, and nothing is kept.
4. For 30 s everyone reads "countess" from the store; the first fill after that keeps it.

Were the key deleted in 2, then 3 would have kept "ada" for `ttl_seconds`.

A flush, a restart or a failover forgets guards. So a fill carries the node's generation, read
before the store was read, and is refused under another one (storage/redis/generations.py). The
generation is read in the same command as the values, and a reader of a value has it at hand.

If Redis was down when a writer invalidated, an old value lives on for at most `ttl_seconds`. What must be in force
within seconds all the same has a `ttl_seconds` of seconds, an order that repeats the invalidation, or, where readers
must be sure of it without the store for hours, a vouch (lasting_cache.py).
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from storage.redis.node import RedisNode, Script
from storage.redis.reads import Command, Read
from storage.redis.shards import Generations, generation_key, remembered, shard_tag

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
W = TypeVar("W")

_fill = Script(Path(__file__).parent / "lua" / "fill.lua")
GUARD = b""
GUARD_SECONDS = 30
"""Longer than the slowest store read (5 s) and the fill (0.5 s) behind it, with room."""


class Cached(msgspec.Struct, Generic[K, V], frozen=True):
    """A cache's answer, by id; what is missing or guarded is left out.

    `generation` is what stood then as that of each shard that was read: to be given to `RedisNode.generation_of`,
    whose answer belongs into `fill`.
    """

    values: dict[K, V]
    generation: Mapping[int, bytes | None]


class GuardedCache(Generic[K, V]):
    """Values V by K, which belongs to a shard and has a name there.

    Gives reads and commands for a round trip, so that callers may send them together with others. A value is
    encoded as bytes, never as none.
    """

    def __init__(
        self,
        node: Callable[[], RedisNode],
        shard: Callable[[K], int],
        name: Callable[[K], str],
        *,
        encode: Callable[[V], bytes],
        decode: Callable[[bytes], V],
        ttl_seconds: int,
    ) -> None:
        self._node = node
        self._shard = shard
        self._name = name
        self._encode = encode
        self._decode = decode
        self._ttl_seconds = ttl_seconds
        self._place = remembered(self._made_place)

    def of(self, encode: Callable[[W], bytes], decode: Callable[[bytes], W]) -> "GuardedCache[K, W]":
        """Returns the same cache for whoever knows what its bytes mean."""
        return GuardedCache(
            self._node, self._shard, self._name, encode=encode, decode=decode, ttl_seconds=self._ttl_seconds
        )

    def key(self, each: K) -> str:
        return self._place(each)[0]

    def _made_place(self, each: K) -> tuple[str, int]:
        """Returns the key, and its shard."""
        shard = self._shard(each)
        return f"{shard_tag(shard)}:{self._name(each)}", shard

    def read(self, ids: Sequence[K]) -> Read[Cached[K, V]]:
        """Reads what is cached of `ids`. One command; none for nothing."""
        if not ids:
            return Read((), lambda: Cached({}, {}))
        places = [self._place(each) for each in ids]
        shards = list(dict.fromkeys([shard for _, shard in places]))
        command = ("MGET", *[key for key, _ in places], *map(generation_key, shards))
        return Read((command,), partial(self._cached, ids, shards), spares=True)

    def read_with(
        self, other: "GuardedCache[K, W]", ids: Sequence[K], *, also: int
    ) -> Read[tuple[Cached[K, V], Cached[K, W]]]:
        """Does as `read` of both in one command: each generation is read once, that of the shard `also` among them."""
        places = [self._place(each) for each in ids]
        others = [other._place(each) for each in ids]
        shards = list(dict.fromkeys([*[shard for _, shard in places], also]))
        command = ("MGET", *[key for key, _ in places], *[key for key, _ in others], *map(generation_key, shards))
        return Read((command,), partial(self._both_cached, other, ids, shards), spares=True)

    def fill(self, values: Mapping[K, V], *, generation: Generations | None) -> list[Command]:
        """Returns commands that keep `values` unless something stands there already.

        `generation` stood before they were read from the store; nothing is kept in a shard that has another one by
        now, or had none.
        """
        return self._set(values, generation, keep="all")

    def overwrite(self, values: Mapping[K, V], *, generation: Generations | None) -> list[Command]:
        """Does as `fill`, whatever stands there, guards as well."""
        return self._set(values, generation, keep="nothing")

    def invalidate(self, ids: Iterable[K]) -> list[Command]:
        """Returns commands to send after the store was written and before the writer is answered."""
        return [("SET", self.key(each), GUARD, "EX", GUARD_SECONDS) for each in ids]

    def _cached(self, ids: Sequence[K], shards: Sequence[int], answer: Sequence[bytes | None]) -> Cached[K, V]:
        decode = self._decode
        values = {each: decode(value) for each, value in zip(ids, answer, strict=False) if value}
        return Cached(values, dict(zip(shards, answer[len(ids) :], strict=True)))

    def _both_cached(
        self, other: "GuardedCache[K, W]", ids: Sequence[K], shards: Sequence[int], answer: Sequence[bytes | None]
    ) -> tuple[Cached[K, V], Cached[K, W]]:
        theirs = other._cached(ids, shards, answer[len(ids) :])
        decode = self._decode
        ours = {each: decode(value) for each, value in zip(ids, answer, strict=False) if value}
        return Cached(ours, theirs.generation), theirs

    def _set(
        self,
        values: Mapping[K, V],
        generation: Generations | None,
        *,
        keep: Literal["all", "guards", "nothing"],
        until_ms: int | None = None,
    ) -> list[Command]:
        """The server refuses them from `until_ms` on, by its own clock."""
        if generation is None:
            return []
        shards: dict[int, list[tuple[str, bytes]]] = {}
        for each, value in values.items():
            key, shard = self._place(each)
            if shard in generation:
                shards.setdefault(shard, []).append((key, self._encode(value)))
        commands = []
        for shard, pairs in shards.items():
            keys, encoded = zip(*pairs, strict=True)
            keys_at = (generation_key(shard), *keys)
            until = "" if until_ms is None else until_ms
            commands.append(_fill.call(keys_at, generation[shard], self._ttl_seconds, keep, until, *encoded))
        return commands
