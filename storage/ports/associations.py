"""The association port: a directed, timestamped edge (source, kind, target).

Follows, blocks, mutes, likes, retweets and bookmarks are all kinds of association. The
*truth* is one row per (source, kind, target); listings by time and the buckets that
fan-out reads are indexes, written together with it and checked against it.

Every change carries the id of the operation that made it (a snowflake). The change with
the greatest operation id wins, in the truth and in every index, in whatever order the
changes arrive; so a retry repairs and never undoes what came after it. Clocks of servers differ,
so whoever replaces a change takes an id above it (`last_changes`, `ids.next(above=…)`): a change
that was asked for after another had been answered wins, whichever server it met.

**Buckets.** An ordinary target's sources live in one bucket. A target whose bucket outgrows
`edges_per_bucket` is raised a *level*: level L has 2^L buckets and a source belongs to
bucket `bucket_of(source, L)`. A level only grows and no edge moves: an edge stays in the
bucket of the level its writer knew, a reader reads all 2^L buckets, and a removal clears
the bucket of every level up to L. A source may therefore stand in two buckets; readers that
need each once remove duplicates.

For example, source 8 has bucket 0 at level 0, 1 at level 1 and 3 at level 2, and target 7 grows:

1. At level 0, edge (8, follow, 7) is made as operation 100: it stands in bucket 0.
2. Target 7 is raised to level 1. The edge stays in 0; who reads the followers reads buckets 0 and 1.
3. It is removed as 110: from bucket 0, from bucket 1, and, one level ahead, from 3.
4. The write of 100 is repeated by a late retry: 110 is greater, and the edge stays removed in all of them.
5. It is made as 120, by a writer who knows level 1: it stands in bucket 1.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol

import msgspec

from storage.ports.outbox import Order
from storage.ports.ranges import Range

MAX_LEVEL = 12
"""4,096 buckets: 200 million edges at 50,000 a bucket."""
EDGES_PER_BUCKET = 50_000
"""What a bucket should hold: a partition of ~2 MB, read in well under a second."""
GROWTH_SAMPLE = 512
"""One add in so many measures its bucket, so growth is at most that late and costs next to nothing."""
MAX_CHANGES = 50
"""Changes of one `apply`: an atomic write has a size limit (Cassandra refuses a request over 50 KB)."""


class Association(msgspec.Struct, frozen=True):
    """A present edge; `op` is the operation that made it, so its birth as well."""

    source: int
    kind: str
    target: int
    op: int


class End(Enum):
    """Which end of edges a listing belongs to: their source's, or their target's."""

    SOURCE = "out"
    TARGET = "in"


EdgeKey = tuple[int, str, int]
"""Source, kind, target."""


class Change(msgspec.Struct, frozen=True):
    """Makes (present) or removes one edge, as operation `op`."""

    source: int
    kind: str
    target: int
    op: int
    present: bool


def one_in_512() -> bool:
    """Returns whether this add is one of those that measure their bucket."""
    return random.randrange(GROWTH_SAMPLE) == 0  # noqa: S311 - a sample, not a secret


def bucket_of(source: int, level: int) -> int:
    """Returns the bucket of `source` at `level`; bucket b splits into b and b + 2^level one level up.

    Snowflakes differ in their low bits by worker only, so they are mixed first
    (Fibonacci hashing, Knuth, TAOCP vol. 3, 6.4).
    """
    mixed = (source * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return (mixed >> 32) & ((1 << level) - 1)


def removal_buckets(source: int, level: int) -> list[int]:
    """Returns the buckets that a removal clears: of every level up to `level`, and of one more.

    The one more is for an add of an earlier operation that is written late, by a writer who
    already knows the next level.
    """
    return sorted({bucket_of(source, each) for each in range(min(level + 1, MAX_LEVEL) + 1)})


def bucket_is_full(edges: int, bucket: int, level: int, edges_per_bucket: int = EDGES_PER_BUCKET) -> bool:
    """Returns whether a bucket of so many edges says that its target has outgrown `level`.

    A target should grow to level L + 1 at edges_per_bucket * 2^L edges. Edges do not move, so
    bucket 0 then holds edges_per_bucket of level 0 and half as many of every later level; a
    bucket born at level k holds the half of each level since. Comparing with edges_per_bucket
    itself would find bucket 0 full for ever and run through all levels at once.
    """
    born = bucket.bit_length()
    halves = level + 2 if born == 0 else level - born + 1
    return level < MAX_LEVEL and edges > edges_per_bucket * halves / 2


def latest_changes(changes: Sequence[Change]) -> list[Change]:
    """Returns one change an edge, the one with the greatest op. Raises ValueError above MAX_CHANGES."""
    if len(changes) > MAX_CHANGES:
        raise ValueError(f"{len(changes)} changes in one apply; the limit is {MAX_CHANGES}")
    latest: dict[tuple[int, str, int], Change] = {}
    for change in sorted(changes, key=lambda change: change.op):
        latest[change.source, change.kind, change.target] = change
    return list(latest.values())


class AssociationStore(Protocol):
    """Associations of one backend. Raises `Unavailable` when it does not answer. Ids are positive 63-bit ints."""

    def apply(self, changes: Sequence[Change], order: Order | None = None, *, also: Order | None = None) -> None:
        """Writes all changes, every index of theirs and the order, or nothing; `also` another order. Idempotent.

        After `Unavailable`, `also` alone may be missing, or be there alone.

        At most MAX_CHANGES. A change that a later operation has overtaken is skipped; the orders are not.
        """

    def find(self, source: int, kind: str, targets: Sequence[int]) -> dict[int, Association]:
        """Returns the present edges from `source` to any of `targets`, by target."""

    def last_changes(self, edges: Sequence[EdgeKey]) -> list[Change]:
        """Returns what decided each edge as it stands, in the order asked for; at most MAX_CHANGES.

        A removal too, for 30 days at least; op 0 and not present where there is nothing to be known.
        """

    def find_pairs(self, pairs: Sequence[tuple[int, str, int]]) -> list[Association]:
        """Returns the present edges among these (source, kind, target), in no order. One round of concurrent reads."""

    def targets(self, source: int, kind: str, *, after: int = 0, limit: int = 5000) -> list[int]:
        """Returns targets of present edges above `after`, ascending by id, read from the truth."""

    def newest_targets(
        self, source: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        """Returns edges out of `source` with op below `before`, newest first; shorter than `limit` only at the end.

        With `after`, the nearest above it instead, still newest first.
        """

    def newest_sources(
        self, target: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        """Returns the same for edges into `target`."""

    def newest_of_many(self, kind: str, end: End, ranges: Mapping[int, Range]) -> dict[int, list[Association]]:
        """Returns a range of each one's edges by op, as `newest_targets` (of `End.SOURCE`) or `newest_sources` do.

        Everyone asked for is in the answer. As many rounds of reads as for one, however many they are.
        """

    def level(self, target: int, kind: str) -> int:
        """Returns the target's level now; read it before its buckets, never from a cache."""

    def level_soon(self, target: int, kind: str) -> Callable[[], int]:
        """Does as `level`, as of now or a moment later: returns what waits for the answer, and raises then."""

    def bucket_sources(self, target: int, kind: str, bucket: int, *, after: int = 0, limit: int) -> list[int]:
        """Returns sources above `after` in one bucket, ascending; shorter than `limit` only at its end."""

    def grow(self, target: int, kind: str, level: int) -> None:
        """Raises the target to `level` unless it stands there or higher already. Idempotent."""

    def count_sources(self, target: int, kind: str) -> int:
        """Returns how many present edges enter `target`: exact, each source once. Costs a read per bucket."""

    def count_sources_many(self, targets: Sequence[int], kinds: Sequence[str]) -> dict[str, dict[int, int]]:
        """Returns `count_sources` of each target, by kind and target; every one asked for is in the answer.

        One round of concurrent reads for all whose sources live in one bucket.
        """

    def count_targets(self, source: int, kind: str) -> int:
        """Returns how many present edges leave `source`: exact."""

    def count_targets_many(self, sources: Sequence[int], kind: str) -> dict[int, int]:
        """Returns `count_targets` of each source; every one asked for is in the answer. Rounds as for the largest."""

    def first_sources(self, targets: Sequence[int], kind: str, *, limit: int) -> dict[int, list[int]]:
        """Returns `bucket_sources` of the first bucket of each target, from its beginning. One round of reads."""

    def owners(self) -> Iterator[tuple[int, str, End]]:
        """Returns who has, or had, edges of which kind and at which end of them, in no order; walks all, page by page.

        An edge is found by either end; an owner may be named several times. Between two pages whoever walks may write.
        """

    def measure(self, changes: Sequence[Change]) -> None:
        """Grows targets whose bucket is full, for some of `changes`; `apply` does it by itself.

        To be called by whoever wrote changes as part of another atomic write. Those are
        acknowledged already, so it raises nothing: the next sample measures again.
        """
