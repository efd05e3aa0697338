"""A cache in Redis whose entries last for hours, though what is changed must be in force at once.

It is a guarded cache (guarded_cache.py): a change leaves a guard, so readers see it from then on. What a guard cannot
do is to be left while Redis does not answer; a cache whose entries end within seconds needs not care. Here somebody
makes sure that Redis hears of every change in the end, and says so: each shard has a *vouch*, a key of a few seconds.

- `told`: up to a moment ago every change of the store has been told to this Redis. Entries are good.
- `away`: the store did not answer who looked. Entries are good, for as long as they last, for whoever knows that it
  does not answer them either; for all others, who may have a change in force that this process alone could not see,
  they are doubtful. Nobody's failure takes the store from those whom it answers.
- none: nobody can say. Entries are *doubtful*: the store is asked, and they count only if it does not answer.

So a change that Redis did not hear of is in force when the vouch that stood then has ended, whatever else has failed.
Who vouches, and when, is no matter of this module (accounts/account_cache/vouching.py).

An entry lasts KEPT_SECONDS. One that is older than RENEWED_SECONDS is doubtful as well while the store answers: so who
is active never loses theirs, and what was changed past the product is seen after an hour at the latest. How old it is
tells what is left of its life, so that its bytes are those of any guarded cache, for processes of another version, too.

For example, ada is signed in, and her token was read from the store 10 minutes ago:

1. Each request finds it, with `told` beside it: the store is not asked.
2. She signs out while Redis does not hear this process. The row is gone, the token is still cached, `told` stands.
3. Somebody tells Redis of the change within a second or two: a guard stands there now. Had nobody been able to, `told`
   would have ended within 5 s of the last time that it was true; then the store is asked, which knows no such token.
4. Had the store gone away before 2, she could neither sign out nor be refused: whoever asks it in vain lets her in, and
   after a few times in vain asks it no more.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Generic, Literal, TypeVar

import msgspec

from storage.redis.guarded_cache import GuardedCache, K, V, W
from storage.redis.node import RedisNode
from storage.redis.reads import Command, Read
from storage.redis.shards import Generations, generation_key, remembered, shard_tag

L = TypeVar("L", bound=Hashable)

TOLD, AWAY = b"told", b"away"
KEPT_SECONDS = 3 * 3600
RENEWED_SECONDS = 3600
"""Who was active within the last hour when the store goes away finds their entry for an hour more, and longer."""
FILLED_WITHIN_SECONDS = 15.0
"""Redis refuses a fill that comes later after it was read, by its own clock: half of what a guard stands. So a process
that stood still in between, or a network that delivers late, brings nothing back for hours."""


Time = tuple[int, int]
"""What Redis answers to `TIME`: seconds and microseconds."""


def _milliseconds(answer: Time | None) -> int | None:
    return None if answer is None else answer[0] * 1000 + answer[1] // 1000


REDIS_MS: Read[int | None] = Read((("TIME",),), _milliseconds, spares=True)
"""Redis' own clock, to be asked before the store is: `redis_ms` of a fill. Of a cluster the clock of the node that the
read before it goes to: who fills at several asks each of them, and goes by the one that is behind."""


class Kept(msgspec.Struct, Generic[K, V], frozen=True):
    """A cache's answer. What is missing or guarded is in neither; `doubtful` counts only if the store does not answer.

    `generation` as in `Cached`, for `RedisNode.generation_of`; `redis_ms` is Redis' own clock at the reading.
    """

    good: dict[K, V]
    doubtful: dict[K, V]
    generation: Mapping[int, bytes | None]
    redis_ms: int | None


class LastingCache(GuardedCache[K, V]):
    """Values V by K, kept for hours."""

    def __init__(
        self,
        node: Callable[[], RedisNode],
        shard: Callable[[K], int],
        name: Callable[[K], str],
        *,
        encode: Callable[[V], bytes],
        decode: Callable[[bytes], V],
        can_ask: Callable[[], bool],
    ) -> None:
        """`can_ask` says whether this process takes the store to answer it; it costs nothing."""
        super().__init__(node, shard, name, encode=encode, decode=decode, ttl_seconds=KEPT_SECONDS)
        self._can_ask = can_ask

    def read_kept(self, ids: Sequence[K]) -> Read[Kept[K, V]]:
        """Reads what is cached of `ids`, all of one shard and not none. Two commands, and one for each."""
        shard = self._shard(ids[0])
        keys = [self.key(each) for each in ids]
        commands: list[Command] = [("MGET", *keys, generation_key(shard), vouch_key(shard))]
        commands += [*REDIS_MS.commands, *[("PTTL", key) for key in keys]]
        return Read(tuple(commands), partial(self._kept, shard, ids), spares=True)

    def read_beside(self, mine: K, other: "LastingCache[L, W]", theirs: L) -> Read[tuple[Kept[K, V], Kept[L, W]]]:
        """Reads one of each of two caches, both of one shard. Four commands."""
        shard = self._shard(mine)
        keys = (self.key(mine), other.key(theirs))
        mget = ("MGET", *keys, generation_key(shard), vouch_key(shard))
        commands: tuple[Command, ...] = (mget, *REDIS_MS.commands, *[("PTTL", key) for key in keys])
        return Read(commands, partial(self._both_kept, other, shard, mine, theirs), spares=True)

    def _both_kept(  # noqa: PLR0917 - the last ones are the answers
        self,
        other: "LastingCache[L, W]",
        shard: int,
        mine: K,
        theirs: L,
        answer: Sequence[bytes | None],
        time: Time | None,
        *left_ms: int | None,
    ) -> tuple[Kept[K, V], Kept[L, W]]:
        my_value, their_value, *rest = answer
        mine_kept = self._kept(shard, [mine], [my_value, *rest], time, left_ms[0])
        return mine_kept, other._kept(shard, [theirs], [their_value, *rest], time, left_ms[1])

    def fill(
        self, values: Mapping[K, V], *, generation: Generations | None, redis_ms: int | None = None
    ) -> list[Command]:
        """Does as any guarded cache's, but nothing is kept FILLED_WITHIN_SECONDS after `redis_ms`, or without it.

        `redis_ms` is what `REDIS_MS` said before the values were read from the store.
        """
        return self._set_in_time(values, generation, keep="all", redis_ms=redis_ms)

    def renew(self, values: Mapping[K, V], *, generation: Generations | None, redis_ms: int | None) -> list[Command]:
        """Returns commands that do as `fill`, but also over an older value; not over a guard."""
        return self._set_in_time(values, generation, keep="guards", redis_ms=redis_ms)

    def refill(
        self, values: Mapping[K, V], known: Iterable[K], *, generation: Generations | None, redis_ms: int | None
    ) -> list[Command]:
        """Returns commands that keep what the store said: over what was `known`, else unless something stands there."""
        known = set(known)
        old = {each: value for each, value in values.items() if each in known}
        new = {each: value for each, value in values.items() if each not in known}
        renewed = self.renew(old, generation=generation, redis_ms=redis_ms)
        return renewed + self.fill(new, generation=generation, redis_ms=redis_ms)

    def _set_in_time(
        self,
        values: Mapping[K, V],
        generation: Generations | None,
        *,
        keep: Literal["all", "guards"],
        redis_ms: int | None,
    ) -> list[Command]:
        if redis_ms is None:
            return []
        return self._set(values, generation, keep=keep, until_ms=redis_ms + int(FILLED_WITHIN_SECONDS * 1000))

    def _kept(
        self, shard: int, ids: Sequence[K], answer: Sequence[bytes | None], time: Time | None, *left_ms: int | None
    ) -> Kept[K, V]:
        *values, generation, vouch = answer
        good, doubtful = dict[K, V](), dict[K, V]()
        old_ms = (KEPT_SECONDS - RENEWED_SECONDS) * 1000
        all_there_is = vouch == AWAY and not self._can_ask()
        for each, value, left in zip(ids, values, left_ms, strict=True):
            if value:
                sure = all_there_is or (vouch == TOLD and left is not None and left > old_ms)
                (good if sure else doubtful)[each] = self._decode(value)
        return Kept(good, doubtful, {shard: generation}, _milliseconds(time))


def joined(found: Sequence[Kept[K, V]]) -> Kept[K, V]:
    """Returns what several reads of one cache say, as one; of several servers' clocks the one that is behind."""
    return Kept(
        {key: value for each in found for key, value in each.good.items()},
        {key: value for each in found for key, value in each.doubtful.items()},
        {shard: generation for each in found for shard, generation in each.generation.items()},
        min((each.redis_ms for each in found if each.redis_ms is not None), default=None),
    )


@remembered
def vouch_key(shard: int) -> str:
    """Returns the key of the shard's vouch, in the slot of everything that it vouches for."""
    return f"{shard_tag(shard)}:vouched"
