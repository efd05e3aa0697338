"""Associations in Cassandra: one truth, a month log for each end, and the buckets fan-out reads.

`apply` reads the truth and the levels of its edges (one round trip), then writes all rows or none (outbox.py), each
with its operation's own timestamp. So in the truth and in every index the last operation wins, whatever the order of
arrival; a repeated call changes nothing.

What races can leave behind is a listing row of an operation that another one overtook between that read and that write.
Listings are therefore checked against the truth when read.
"""

import heapq
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from storage.cassandra import session
from storage.cassandra.edge_listings import IN, LOG, OUT, TRUTH, newest, newest_of_many
from storage.cassandra.outbox import write_with_order
from storage.cassandra.session import Statement
from storage.errors import Unavailable
from storage.ids.snowflakes import write_timestamp
from storage.ports.associations import (
    EDGES_PER_BUCKET,
    MAX_LEVEL,
    Association,
    Change,
    EdgeKey,
    End,
    bucket_is_full,
    bucket_of,
    latest_changes,
    one_in_512,
    removal_buckets,
)
from storage.ports.outbox import Order
from storage.ports.ranges import Range

logger = logging.getLogger(__name__)

TARGETS_AN_IN = 100
"""Rows of one partition asked for at once."""
LARGEST_PAGE = 20_000
"""Bucket rows a page of the driver: 1,000,000 ids/s (5,000: 670,000)."""
COUNTED_PAGE = 5_000

_TRUTHS = "SELECT target, op, active FROM edges_out WHERE source = ? AND kind = ? AND target IN ?"
_TARGETS = "SELECT target, active FROM edges_out WHERE source = ? AND kind = ? AND target > ? LIMIT ?"
_SOURCES = "SELECT source FROM edges_in WHERE target = ? AND kind = ? AND bucket = ? AND source > ? LIMIT ?"
_COUNT_BUCKET = "SELECT COUNT(*) FROM edges_in WHERE target = ? AND kind = ? AND bucket = ?"
_RAISE_LEVEL = "INSERT INTO edge_levels (target, kind, level) VALUES (?, ?, ?) USING TIMESTAMP ?"


REMOVED_SECONDS = 30 * 86_400
"""How long a removal stays readable in the truth; readers ask about minutes, repairs about days."""

LEVEL = "SELECT level FROM edge_levels WHERE target = ? AND kind = ?"
_ADD = "INSERT INTO edges_out (source, kind, target, op, active) VALUES (?, ?, ?, ?, true) USING TIMESTAMP ?"
_REMOVE = (
    "INSERT INTO edges_out (source, kind, target, op, active) VALUES (?, ?, ?, ?, false) USING TIMESTAMP ? AND TTL ?"
)
_ADD_IN = "INSERT INTO edges_in (target, kind, bucket, source, op) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
_REMOVE_IN = "DELETE FROM edges_in USING TIMESTAMP ? WHERE target = ? AND kind = ? AND bucket = ? AND source = ?"


class CassandraAssociations:
    """See `storage.ports.associations.AssociationStore`. `sample` says which adds measure their bucket."""

    def __init__(self, *, edges_per_bucket: int = EDGES_PER_BUCKET, sample: Callable[[], bool] = one_in_512) -> None:
        self._edges_per_bucket = edges_per_bucket
        self._sample = sample

    def apply(self, changes: Sequence[Change], order: Order | None = None, *, also: Order | None = None) -> None:
        """Makes one concurrent read, and two writes one after the other."""
        write_with_order(change_statements(changes), order, also=also)
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
        return newest((source, kind, OUT), before, after, limit)

    def newest_sources(
        self, target: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        return newest((target, kind, IN), before, after, limit)

    def newest_of_many(self, kind: str, end: End, ranges: Mapping[int, Range]) -> dict[int, list[Association]]:
        """Costs as many round trips as the listing that is walked farthest."""
        found = newest_of_many({(owner, kind, end.value): each for owner, each in ranges.items()})
        return {owner: edges for (owner, _, _), edges in found.items()}

    def level(self, target: int, kind: str) -> int:
        return self.level_soon(target, kind)()

    def level_soon(self, target: int, kind: str) -> Callable[[], int]:
        found = session.execute_soon(LEVEL, (target, kind))

        def wait() -> int:
            rows = found()
            return int(rows[0][0]) if rows else 0

        return wait

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
        return self.count_targets_many([source], kind)[source]

    def count_targets_many(self, sources: Sequence[int], kind: str) -> dict[int, int]:
        counted, after = dict.fromkeys(sources, 0), dict.fromkeys(sources, 0)
        while after:
            asked = list(after)
            pages = session.execute_many(_TARGETS, [(each, kind, after[each], COUNTED_PAGE) for each in asked])
            after = {}
            for source, rows in zip(asked, pages, strict=True):
                counted[source] += sum(bool(active) for _, active in rows)
                if len(rows) == COUNTED_PAGE:
                    after[source] = rows[-1][0]
        return counted

    def first_sources(self, targets: Sequence[int], kind: str, *, limit: int) -> dict[int, list[int]]:
        pages = session.execute_many(_SOURCES, [(target, kind, 0, 0, limit) for target in targets])
        return {target: [source for (source,) in rows] for target, rows in zip(targets, pages, strict=True)}

    def owners(self) -> Iterator[tuple[int, str, End]]:
        for owner, kind, end in session.walk_partitions("edge_months", "owner, kind, direction"):
            yield owner, kind, End(end)

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


def _bucket_size(target: int, kind: str, bucket: int) -> int:
    return int(session.execute(_COUNT_BUCKET, (target, kind, bucket))[0][0])


def _distinct(ascending: Iterator[int]) -> int:
    count, last = 0, -1
    for source in ascending:
        count += source != last
        last = source
    return count


def change_statements(changes: Sequence[Change]) -> list[Statement]:
    """Returns what writes the changes, beside what they belong to. One round trip, if there are any.

    Call `CassandraAssociations.measure` after the write.
    """
    latest = latest_changes(changes)
    if not latest:
        return []
    truths, levels = _truths_and_levels(latest)
    return [
        statement
        for change, previous, level in zip(latest, truths, levels, strict=True)
        for statement in _change_statements(change, previous, level)
    ]


def _truths_and_levels(changes: Sequence[Change]) -> tuple[list[int | None], list[int]]:
    """For each change, the op of its edge now and the level of its target. One round trip."""
    truths = [(TRUTH, (change.source, change.kind, change.target)) for change in changes]
    levels = [(LEVEL, (change.target, change.kind)) for change in changes]
    found = session.execute_all([*truths, *levels])
    return (
        [rows[0][0] if rows else None for rows in found[: len(changes)]],
        [rows[0][0] if rows else 0 for rows in found[len(changes) :]],
    )


def _change_statements(change: Change, previous: int | None, level: int) -> list[Statement]:
    """What `change` writes over an edge whose op is `previous`; nothing if it is overtaken."""
    if previous is not None and previous > change.op:
        return []
    timestamp = write_timestamp(change.op)
    statements = _added(change, timestamp, level) if change.present else _removed(change, timestamp, level)
    if previous is not None and previous < change.op:
        statements += [LOG.delete(owner, previous, timestamp=timestamp) for owner, _ in _ends(change)]
    return statements


def _added(change: Change, timestamp: int, level: int) -> list[Statement]:
    source, kind, target, op = change.source, change.kind, change.target, change.op
    statements: list[Statement] = [
        (_ADD, (source, kind, target, op, timestamp)),
        (_ADD_IN, (target, kind, bucket_of(source, level), source, op, timestamp)),
    ]
    for owner, other in _ends(change):
        statements += LOG.insert(owner, op, (other,))
    return statements


def _removed(change: Change, timestamp: int, level: int) -> list[Statement]:
    source, kind, target = change.source, change.kind, change.target
    buckets = removal_buckets(source, level)
    return [
        (_REMOVE, (source, kind, target, change.op, timestamp, REMOVED_SECONDS)),
        *[(_REMOVE_IN, (timestamp, target, kind, bucket, source)) for bucket in buckets],
    ]


def _ends(change: Change) -> list[tuple[tuple[int, str, str], int]]:
    """Both listings of an edge: (owner key, the other end)."""
    return [((change.source, change.kind, OUT), change.target), ((change.target, change.kind, IN), change.source)]
