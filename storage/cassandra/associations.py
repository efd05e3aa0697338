"""Associations in Cassandra: one truth, a month log for each end, and the buckets fan-out reads.

`apply` reads the truth and the levels of its edges (one round trip), then writes one logged
batch in which every row carries its operation's own timestamp. So in the truth and in every
index the last operation wins, whatever the order of arrival; a repeated call changes nothing.

What races can leave behind is a listing row of an operation that another one overtook between
that read and that write. Listings are therefore checked against the truth when read.
"""

import heapq
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from storage.cassandra import session
from storage.cassandra.edge_writes import IN, LEVEL, LOG, OUT, TRUTH, Owner, change_statements
from storage.cassandra.outbox import write_with_order
from storage.cassandra.session import Row
from storage.errors import Unavailable
from storage.ids.snowflakes import write_timestamp
from storage.ports.associations import (
    EDGES_PER_BUCKET,
    GROWTH_SAMPLE,
    MAX_LEVEL,
    Association,
    Change,
    EdgeKey,
    bucket_is_full,
    bucket_of,
)
from storage.ports.outbox import Order

logger = logging.getLogger(__name__)

TARGETS_AN_IN = 100
"""Rows of one partition asked for at once."""
LISTING_PAGES = 20
"""Pages a listing may walk to fill one; only pages full of overtaken rows, left by races, need more than one."""
LARGEST_PAGE = 20_000
"""Bucket rows a page of the driver: 1,000,000 ids/s (5,000: 670,000)."""
COUNTED_PAGE = 5_000

_TRUTHS = "SELECT target, op, active FROM edges_out WHERE source = ? AND kind = ? AND target IN ?"
_TARGETS = "SELECT target, active FROM edges_out WHERE source = ? AND kind = ? AND target > ? LIMIT ?"
_SOURCES = "SELECT source FROM edges_in WHERE target = ? AND kind = ? AND bucket = ? AND source > ? LIMIT ?"
_COUNT_BUCKET = "SELECT COUNT(*) FROM edges_in WHERE target = ? AND kind = ? AND bucket = ?"
_RAISE_LEVEL = "INSERT INTO edge_levels (target, kind, level) VALUES (?, ?, ?) USING TIMESTAMP ?"


def one_in_512() -> bool:
    return random.randrange(GROWTH_SAMPLE) == 0  # noqa: S311 - a sample, not a secret


class CassandraAssociations:
    """See `storage.ports.associations.AssociationStore`. `sample` says which adds measure their bucket."""

    def __init__(self, *, edges_per_bucket: int = EDGES_PER_BUCKET, sample: Callable[[], bool] = one_in_512) -> None:
        self._edges_per_bucket = edges_per_bucket
        self._sample = sample

    def apply(self, changes: Sequence[Change], order: Order | None = None) -> None:
        """Makes one concurrent read and one logged batch."""
        write_with_order(change_statements(changes), order)
        self.measure(changes)

    def find(self, source: int, kind: str, targets: Sequence[int]) -> dict[int, Association]:
        """Costs one round trip, in reads of TARGETS_AN_IN rows of one partition."""
        found = _found({(source, kind): list(targets)})
        return {edge.target: edge for edge in found}

    def find_pairs(self, pairs: Sequence[tuple[int, str, int]]) -> list[Association]:
        """Costs one round trip, in reads of TARGETS_AN_IN rows of one partition."""
        asked: dict[tuple[int, str], list[int]] = {}
        for source, kind, target in pairs:
            asked.setdefault((source, kind), []).append(target)
        return _found(asked)

    def last_changes(self, edges: Sequence[EdgeKey]) -> list[Change]:
        """Costs one round trip."""
        found = session.execute_many(TRUTH, edges)
        return [Change(*edge, *(rows[0] if rows else (0, False))) for edge, rows in zip(edges, found, strict=True)]

    def targets(self, source: int, kind: str, *, after: int = 0, limit: int = 5000) -> list[int]:
        found: list[int] = []
        while len(found) < limit:
            rows = session.execute(_TARGETS, (source, kind, after, limit))
            found += [target for target, active in rows if active]
            if len(rows) < limit:
                break
            after = rows[-1][0]
        return found[:limit]

    def newest_targets(
        self, source: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        return _newest((source, kind, OUT), before, after, limit)

    def newest_sources(
        self, target: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        return _newest((target, kind, IN), before, after, limit)

    def level(self, target: int, kind: str) -> int:
        rows = session.execute(LEVEL, (target, kind))
        return int(rows[0][0]) if rows else 0

    def bucket_sources(self, target: int, kind: str, bucket: int, *, after: int = 0, limit: int) -> list[int]:
        rows = session.execute(
            _SOURCES, (target, kind, bucket, after, limit), fetch_size=min(max(limit, 1), LARGEST_PAGE)
        )
        return [source for (source,) in rows]

    def grow(self, target: int, kind: str, level: int) -> None:
        """Writes the level with itself as its timestamp, so the highest level wins in whatever order."""
        if not 0 <= level <= MAX_LEVEL:
            raise ValueError(f"no level {level}")
        if level:
            session.execute(_RAISE_LEVEL, (target, kind, level, level))

    def count_sources(self, target: int, kind: str) -> int:
        return self.count_sources_many([target], [kind])[kind][target]

    def count_sources_many(self, targets: Sequence[int], kinds: Sequence[str]) -> dict[str, dict[int, int]]:
        """Reads levels and first buckets together: an edge acknowledged before that is in the first
        bucket, or its writer knew a level that this read sees."""
        pairs = [(target, kind) for kind in kinds for target in targets]
        levels = [(LEVEL, pair) for pair in pairs]
        sizes = [(_COUNT_BUCKET, (*pair, 0)) for pair in pairs]
        found = session.execute_all([*levels, *sizes])
        counted: dict[str, dict[int, int]] = {kind: {} for kind in kinds}
        for (target, kind), level, size in zip(pairs, found[: len(pairs)], found[len(pairs) :], strict=True):
            large = bool(level) and level[0][0] > 0
            counted[kind][target] = self._count_buckets(target, kind, level[0][0]) if large else size[0][0]
        return counted

    def count_targets(self, source: int, kind: str) -> int:
        count = after = 0
        while True:
            rows = session.execute(_TARGETS, (source, kind, after, COUNTED_PAGE))
            count += sum(bool(active) for _, active in rows)
            if len(rows) < COUNTED_PAGE:
                return count
            after = rows[-1][0]

    def measure(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.present and self._sample():
                self._grow_if_full(change)

    def _count_buckets(self, target: int, kind: str, level: int) -> int:
        streams = [self._bucket_stream(target, kind, bucket) for bucket in range(1 << level)]
        return _distinct(heapq.merge(*streams))

    def _bucket_stream(self, target: int, kind: str, bucket: int) -> Iterator[int]:
        after = 0
        while page := self.bucket_sources(target, kind, bucket, after=after, limit=COUNTED_PAGE):
            yield from page
            after = page[-1]

    def _grow_if_full(self, change: Change) -> None:
        """The change is already acknowledged, so a failure here waits for the next sample."""
        try:
            level = self.level(change.target, change.kind)
            bucket = bucket_of(change.source, level)
            edges = _bucket_size(change.target, change.kind, bucket)
            if bucket_is_full(edges, bucket, level, self._edges_per_bucket):
                self.grow(change.target, change.kind, level + 1)
        except Unavailable:
            logger.warning("could not measure the buckets of %s %s", change.kind, change.target)


def _found(asked: Mapping[tuple[int, str], Sequence[int]]) -> list[Association]:
    """The present edges from each (source, kind) to its targets. One round of concurrent reads."""
    groups = [
        (source, kind, list(targets[start : start + TARGETS_AN_IN]))
        for (source, kind), targets in asked.items()
        for start in range(0, len(targets), TARGETS_AN_IN)
    ]
    answers = session.execute_many(_TRUTHS, groups)
    return [
        Association(source, kind, target, op)
        for (source, kind, _), rows in zip(groups, answers, strict=True)
        for target, op, active in rows
        if active
    ]


def _newest(owner: Owner, before: int | None, after: int | None, limit: int) -> list[Association]:
    """Costs two round trips besides the months walked. Raises `Unavailable` after LISTING_PAGES pages
    of overtaken rows: a short page would say that the listing ends. Those rows are removed, so
    the next call gets further.
    """
    upwards = after is not None
    found: list[Association] = []
    for _ in range(LISTING_PAGES):
        rows = LOG.read(owner, before=before, after=after or 0, limit=limit, oldest_first=upwards)
        found += _present_edges(owner, rows)
        if len(rows) < limit or len(found) >= limit:
            return found[:limit][::-1] if upwards else found[:limit]
        before, after = (before, rows[-1][0]) if upwards else (rows[-1][0], after)
    raise Unavailable("cassandra")


def _present_edges(owner: Owner, rows: Sequence[Row]) -> list[Association]:
    """The edges of listing rows, in their order, that the truth confirms."""
    edges = [_edge(owner, op, other) for op, other in rows]
    truths = session.execute_many(TRUTH, [(edge.source, edge.kind, edge.target) for edge in edges])
    _forget_overtaken(owner, edges, [truth[0][0] if truth else 0 for truth in truths])
    return [edge for edge, truth in zip(edges, truths, strict=True) if truth == [(edge.op, True)]]


def _edge(owner: Owner, op: int, other: int) -> Association:
    one, kind, direction = owner
    source, target = (one, other) if direction == OUT else (other, one)
    return Association(source, kind, target, op)


def _forget_overtaken(owner: Owner, edges: Sequence[Association], truths: Sequence[int]) -> None:
    """Forgets rows whose truth is newer, no others: a truth that is older, or not there, may be about to appear."""
    overtaken = [edge.op for edge, truth in zip(edges, truths, strict=True) if truth > edge.op]
    if overtaken:
        session.execute_all([LOG.delete(owner, op, timestamp=write_timestamp(op)) for op in overtaken])


def _bucket_size(target: int, kind: str, bucket: int) -> int:
    return int(session.execute(_COUNT_BUCKET, (target, kind, bucket))[0][0])


def _distinct(ascending: Iterator[int]) -> int:
    count, last = 0, -1
    for source in ascending:
        count += source != last
        last = source
    return count
