"""How often a tweet was replied to, retweeted, quoted and liked: counted in the store, cached.

All four stand in one key, so a page costs one MGET. Two sorts of tweets are cached in two ways:

**Small** (every count below LARGE): exact. A change that was answered is in every count read
from then on, since it leaves a guard (storage/redis/guarded_cache.py): while it stands, readers recount, which
costs milliseconds. If Redis was away when something changed, the process that changed it tells
it later. Only if that process is gone by then, or a reader stood still between counting and keeping for longer than
a guard does, is a count old, for at most TTL_SECONDS.

**Large**: at most STALE_SECONDS old, plus the time that one recount takes. A viral tweet changes
many times a second: its guard would never end, and each of thousands of readers a second would
count millions of edges. Nobody can see whether 20,481 likes or 20,479 are right. So the value
says when it was counted, changes leave it alone, and the first reader who finds it stale takes
a lease of RECOUNT_LEASE_SECONDS in which it alone counts, while the others still serve the old value. It
overwrites guards, as a tweet that grows large under likes has one standing at all times. When it
finds the tweet small again it leaves a guard: changes made while it counted left none.

For example, tweet 7 has 3 likes and tweet 8 has 20,000, counted at second 0. Both are liked at second 1:

- 7: a guard replaces the 3. Every page counts 4 in the store, until a fill after the guard's end keeps it.
- 8: its 20,000 stay, and are shown. At second 4 a reader finds them stale, takes `counting:8`, counts 20,150 and writes
  that over them; those who come meanwhile show 20,000.
- 8 again, had 19,500 people left it: the count is 500, so a guard is left in place of a value, and from then on it is
  exact.

**While the store does not answer** nothing can be counted, and nothing can be liked either: a count
that this process has shown within SPARE_SECONDS is shown again, so that a page that is otherwise in
Redis is not refused for its numbers.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path

import msgspec

from fanout.live.channel import publishing, tweet_channel
from storage import stores
from storage.errors import Unavailable
from storage.redis.guarded_cache import GUARD_SECONDS, GuardedCache
from storage.redis.node import Script, timeline_node
from storage.redis.reads import Command
from storage.redis.shards import Generations, timeline_shard
from tweets.caches.withheld_counts import REPLY, withheld
from tweets.kinds import LIKE, QUOTE, RETWEET, WITHHELD, WITHHELD_TWEET
from tweets.stores.port import tweet_store

TTL_SECONDS = 600
"""Counting a tweet takes half a dozen reads of the store, and most tweets are shown to few readers: with a minute,
this machine bore 100 requests a second of a mixed load, and 200 with ten (docs/benchmarks.md)."""
LARGE = 1_000
"""Counting so many edges takes about as long as the rest of a request (1,000,000 ids/s and a partition's start)."""
STALE_SECONDS = 3.0
RECOUNT_LEASE_SECONDS = 10
"""Longer than a recount that does not fail; then somebody else tries."""
SPARE_SECONDS = 3600
SPARE_ENTRIES = 50_000
"""About 200 bytes each: 10 MB a process."""
DECODED_KEPT = 8_192
"""About 400 bytes each; as long as nobody counts anew, all readers are given the same bytes."""

_changed = Script(Path(__file__).parent / "lua" / "counts_changed.lua")
SMALL_MARK, LARGE_MARK = b"S", b"L"


class Counts(msgspec.Struct, frozen=True, array_like=True):
    replies: int = 0
    retweets: int = 0
    quotes: int = 0
    likes: int = 0

    @property
    def large(self) -> bool:
        return max(self.replies, self.retweets, self.quotes, self.likes) >= LARGE


class Counted(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """Counts as they are cached; `dict` remembers whether they are large."""

    counts: Counts
    at: float
    """When counting began, by the clock of who counted."""

    @cached_property
    def large(self) -> bool:
        return self.counts.large


_to_msgpack = msgspec.msgpack.Encoder().encode
_from_msgpack = msgspec.msgpack.Decoder(Counted).decode


def _encode(counted: Counted) -> bytes:
    return (LARGE_MARK if counted.large else SMALL_MARK) + _to_msgpack(counted)


@lru_cache(DECODED_KEPT)
def _decode(value: bytes) -> Counted:
    return _from_msgpack(value[1:])


COUNTS: GuardedCache[int, Counted] = GuardedCache(
    timeline_node,
    timeline_shard,
    lambda tweet_id: f"counts:{tweet_id}",
    encode=_encode,
    decode=_decode,
    ttl_seconds=TTL_SECONDS,
)
"""By tweet."""


def _is_stale(counted: Counted) -> bool:
    return time.time() - counted.at >= STALE_SECONDS


def recounted(
    cached: Mapping[int, Counted], ids: Iterable[int], *, generation: Generations | None
) -> tuple[dict[int, Counts], list[Command]]:
    """Returns the counts of all `ids`, counting those that are not cached; and the commands that keep them.

    `generation` is the one under which `cached` was read (storage/redis/guarded_cache.py).

    Two concurrent rounds to the store for any number of tweets. One Redis round trip before
    them if some large tweet's counts are stale. Raises `Unavailable` when the store does not
    answer and some are known from nowhere.
    """
    known = {each: counted.counts for each, counted in cached.items()}
    missing = [each for each in ids if each not in known]
    mine = _recount_leases([each for each, counted in cached.items() if counted.large and _is_stale(counted)])
    _spare.keep(known)
    if not missing and not mine:
        return known, []
    at = time.time()
    try:
        fresh = count(missing + mine)
    except Unavailable:
        spared = _spare.of(missing)
        if spared is None:
            raise
        return known | spared, []
    _spare.keep(fresh)
    shrunk = [each for each in mine if not fresh[each].large]
    kept = {each: counts for each, counts in fresh.items() if each not in shrunk}
    return known | fresh, fill(kept, at=at, generation=generation) + COUNTS.invalidate(shrunk)


def count(ids: Sequence[int]) -> dict[int, Counts]:
    """Counts in the store now, each reaction of each person once, those of suspended people left out.

    Two concurrent rounds; two more if reactions to some are withheld, and one or two reads for each such tweet
    (caches/withheld_counts.py says how exact that is).
    """
    replies = tweet_store().count_replies(ids)
    edges = stores.associations().count_sources_many(ids, (RETWEET, QUOTE, LIKE, WITHHELD, WITHHELD_TWEET))
    less = withheld(edges[WITHHELD], edges[WITHHELD_TWEET])

    def shown(tweet_id: int, kind: str, counted: Mapping[int, int]) -> int:
        return max(counted[tweet_id] - less[tweet_id][kind], 0) if tweet_id in less else counted[tweet_id]

    return {
        each: Counts(shown(each, REPLY, replies), *(shown(each, kind, edges[kind]) for kind in (RETWEET, QUOTE, LIKE)))
        for each in dict.fromkeys(ids)
    }


def fill(counts: Mapping[int, Counts], *, generation: Generations | None, at: float | None = None) -> list[Command]:
    """Returns commands that keep counts whose counting began `at` that time, after the `generation` was read."""
    began = time.time() if at is None else at
    small = {each: Counted(counted, began) for each, counted in counts.items() if not counted.large}
    large = {each: Counted(counted, began) for each, counted in counts.items() if counted.large}
    return COUNTS.fill(small, generation=generation) + COUNTS.overwrite(large, generation=generation)


def invalidate(ids: Iterable[int], *, reply_id: int = 0) -> list[Command]:
    """Returns commands to send after the store was written and before the writer is answered; one for each.

    Whoever listens to the tweets is told by them: also of the new reply, if it is one that has changed the counts.
    """
    word = publishing()
    return [_changed.call([COUNTS.key(each)], GUARD_SECONDS, tweet_channel(each), reply_id, word) for each in ids]


def counts_of(ids: Sequence[int]) -> dict[int, Counts]:
    """Returns the counts of the tweets, as pages show them. One Redis round trip, and what `recounted` costs.

    Works without Redis. Raises `Unavailable` as `recounted` does.
    """
    node = timeline_node()
    try:
        [cached] = node.ask(COUNTS.read(ids))
    except Unavailable:
        return recounted({}, ids, generation=None)[0]
    counted, fills = recounted(cached.values, ids, generation=node.generation_of(cached.generation))
    with suppress(Unavailable):
        node.round_trip(*fills)
    return counted


class _Spare:
    """The counts that this process has shown lately; thread-safe, bounded in number and age.

    Every page is kept, so keeping is one update of a dict: when it is half as full or old as it
    may be, it becomes the older one of two, and that one is dropped.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def keep(self, counts: Mapping[int, Counts]) -> None:
        with self._lock:
            self._turn_over()
            self._recent.update(counts)

    def of(self, ids: Sequence[int]) -> dict[int, Counts] | None:
        """Returns the counts of all `ids`; None if some are not known."""
        with self._lock:
            self._turn_over()
            known = [self._recent.get(each) or self._older.get(each) for each in ids]
        found = {each: counts for each, counts in zip(ids, known, strict=True) if counts is not None}
        return found if len(found) == len(set(ids)) else None

    def clear(self) -> None:
        with self._lock:
            self._begin(older={})

    def _turn_over(self) -> None:
        age = time.monotonic() - self._since
        if age >= SPARE_SECONDS:
            self._begin(older={})
        elif age >= SPARE_SECONDS / 2 or len(self._recent) >= SPARE_ENTRIES // 2:
            self._begin(older=self._recent)

    def _begin(self, *, older: dict[int, Counts]) -> None:
        self._older = older
        self._recent: dict[int, Counts] = {}
        self._since = time.monotonic()


_spare = _Spare()
forget_all = _spare.clear
"""As if the process had just started."""


def _recount_leases(stale: Sequence[int]) -> list[int]:
    """Returns the stale ones that this process shall count; the others are being counted."""
    leases: list[Command] = [("SET", f"counting:{each}", b"1", "NX", "EX", RECOUNT_LEASE_SECONDS) for each in stale]
    if not leases:
        return []
    try:
        taken = timeline_node().round_trip(*leases)
    except Unavailable:
        return []
    return [each for each, mine in zip(stale, taken, strict=True) if mine]
