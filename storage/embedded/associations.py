"""Associations in SQLite: one row an edge is the truth and, through its indexes, every listing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from operator import or_

import msgspec
from django.db.models import Count, Q, QuerySet

from storage.embedded.base import answering, rows_of, run, writing
from storage.embedded.outbox import order_statement
from storage.embedded.ranges import OWNER, Listings
from storage.errors import Unavailable
from storage.models import Edge, EdgeLevel
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
)
from storage.ports.outbox import Order
from storage.ports.ranges import Range

TARGETS_AN_IN = 500
"""Below SQLite's limit of variables in a statement."""
_FIND = (
    "SELECT target, op FROM storage_edge"
    " WHERE source = %s AND kind = %s AND target IN (SELECT value FROM json_each(%s)) AND active"
)
_LEVEL = "SELECT level FROM storage_edgelevel WHERE target = %s AND kind = %s"
_SOURCES = (
    "SELECT source FROM storage_edge INDEXED BY edge_in_by_bucket"
    " WHERE target = %s AND kind = %s AND bucket = %s AND source > %s AND active ORDER BY source LIMIT %s"
)
_encoder = msgspec.json.Encoder()

WALKED_AT_ONCE = 5_000
"""Rows of a page of `owners`."""

LISTINGS = {
    end: Listings(
        f"storage_edge INDEXED BY {index} WHERE {column} = {OWNER} AND kind = %s AND active",
        place="op",
        columns=("op", "source", "target"),
    )
    for end, index, column in (
        (End.SOURCE, "edge_out_by_time", "source"),
        (End.TARGET, "edge_in_by_time", "target"),
    )
}

FIRST_BUCKETS = Listings(
    f"storage_edge INDEXED BY edge_in_by_bucket WHERE target = {OWNER} AND kind = %s AND bucket = 0 AND active",
    place="source",
    columns=["source"],
)


class EmbeddedAssociations:
    """See `storage.ports.associations.AssociationStore`. `sample` says which adds measure their bucket."""

    def __init__(self, *, edges_per_bucket: int = EDGES_PER_BUCKET, sample: Callable[[], bool] = one_in_512) -> None:
        self._edges_per_bucket = edges_per_bucket
        self._sample = sample

    def apply(self, changes: Sequence[Change], order: Order | None = None, *, also: Order | None = None) -> None:
        """Makes one transaction. It holds the write lock while it compares ops, so the greatest op stays."""
        with writing():
            write_changes(changes)
            run(*[order_statement(each) for each in (order, also) if each is not None])
            self._measure(changes)

    def find(self, source: int, kind: str, targets: Sequence[int]) -> dict[int, Association]:
        rows = rows_of((_FIND, (source, kind, _encoder.encode(list(targets)).decode())))
        return {target: Association(source, kind, target, op) for target, op in rows}

    def last_changes(self, edges: Sequence[EdgeKey]) -> list[Change]:
        any_of_them = reduce(or_, (Q(source=source, kind=kind, target=target) for source, kind, target in edges))
        rows = Edge.objects.filter(any_of_them).values_list("source", "kind", "target", "op", "active")
        with answering():
            found = {row[:3]: Change(*row) for row in rows}
        return [found.get(edge) or Change(*edge, 0, present=False) for edge in edges]

    def find_pairs(self, pairs: Sequence[tuple[int, str, int]]) -> list[Association]:
        """Costs one statement for each TARGETS_AN_IN pairs, which also finds what lies across them."""
        found: list[Association] = []
        for start in range(0, len(pairs), TARGETS_AN_IN):
            asked = set(pairs[start : start + TARGETS_AN_IN])
            sources, kinds, targets = ({pair[place] for pair in asked} for place in range(3))
            present = Edge.objects.filter(source__in=sources, kind__in=kinds, target__in=targets, active=True)
            with answering():
                edges = _associations(present)
            found += [edge for edge in edges if (edge.source, edge.kind, edge.target) in asked]
        return found

    def targets(self, source: int, kind: str, *, after: int = 0, limit: int = 5000) -> list[int]:
        edges = Edge.objects.filter(source=source, kind=kind, target__gt=after, active=True)
        with answering():
            return list(edges.order_by("target").values_list("target", flat=True)[:limit])

    def newest_targets(
        self, source: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        return _newest(Edge.objects.filter(source=source, kind=kind), before, after, limit)

    def newest_sources(
        self, target: int, kind: str, *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[Association]:
        return _newest(Edge.objects.filter(target=target, kind=kind), before, after, limit)

    def newest_of_many(self, kind: str, end: End, ranges: Mapping[int, Range]) -> dict[int, list[Association]]:
        found = LISTINGS[end].read(ranges, [kind], tuple[int, int, int])
        return {
            owner: [Association(source, kind, target, op) for op, source, target in edges]
            for owner, edges in found.items()
        }

    def level(self, target: int, kind: str) -> int:
        rows = rows_of((_LEVEL, (target, kind)))
        return int(rows[0][0]) if rows else 0

    def level_soon(self, target: int, kind: str) -> Callable[[], int]:
        """There is nothing to wait for: reads it at once."""
        found = self.level(target, kind)
        return lambda: found

    def bucket_sources(self, target: int, kind: str, bucket: int, *, after: int = 0, limit: int) -> list[int]:
        return [source for (source,) in rows_of((_SOURCES, (target, kind, bucket, after, limit)))]

    def grow(self, target: int, kind: str, level: int) -> None:
        if not 0 <= level <= MAX_LEVEL:
            raise ValueError(f"no level {level}")
        with writing():
            if level > self.level(target, kind):
                EdgeLevel.objects.update_or_create(target=target, kind=kind, defaults={"level": level})

    def count_sources(self, target: int, kind: str) -> int:
        return self.count_sources_many([target], [kind])[kind][target]

    def count_sources_many(self, targets: Sequence[int], kinds: Sequence[str]) -> dict[str, dict[int, int]]:
        """Costs one statement for each TARGETS_AN_IN targets."""
        counted = {kind: dict.fromkeys(targets, 0) for kind in kinds}
        present = Edge.objects.filter(kind__in=kinds, active=True)
        with answering():
            for start in range(0, len(targets), TARGETS_AN_IN):
                edges = present.filter(target__in=targets[start : start + TARGETS_AN_IN])
                for kind, target, count in edges.values_list("kind", "target").annotate(Count("id")):
                    counted[kind][target] = count
        return counted

    def count_targets(self, source: int, kind: str) -> int:
        with answering():
            return Edge.objects.filter(source=source, kind=kind, active=True).count()

    def count_targets_many(self, sources: Sequence[int], kind: str) -> dict[int, int]:
        """Costs one statement for each TARGETS_AN_IN sources."""
        counted = dict.fromkeys(sources, 0)
        present = Edge.objects.filter(kind=kind, active=True)
        with answering():
            for start in range(0, len(sources), TARGETS_AN_IN):
                edges = present.filter(source__in=sources[start : start + TARGETS_AN_IN])
                counted |= dict(edges.values_list("source").annotate(Count("id")))
        return counted

    def first_sources(self, targets: Sequence[int], kind: str, *, limit: int) -> dict[int, list[int]]:
        found = FIRST_BUCKETS.read({target: Range(None, 0, limit) for target in targets}, [kind], tuple[int])
        return {target: [source for (source,) in rows][::-1] for target, rows in found.items()}

    def owners(self) -> Iterator[tuple[int, str, End]]:
        """Walks by key: a cursor that stays open while its connection writes holds it to an old moment of the file,
        and SQLite refuses the write once another process has written. Somebody of several pages is named in each.
        """
        after = 0
        while rows := self._edges_after(after):
            after = rows[-1][0]
            yield from dict.fromkeys((source, kind, End.SOURCE) for _, source, kind, _ in rows)
            yield from dict.fromkeys((target, kind, End.TARGET) for _, _, kind, target in rows)

    def _edges_after(self, edge_id: int) -> list[tuple[int, int, str, int]]:
        rows = Edge.objects.filter(pk__gt=edge_id).order_by("pk").values_list("pk", "source", "kind", "target")
        with answering():
            return list(rows[:WALKED_AT_ONCE])

    def measure(self, changes: Sequence[Change]) -> None:
        with suppress(Unavailable), writing():
            self._measure(changes)

    def _measure(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.present and self._sample():
                self._grow_if_full(change)

    def _grow_if_full(self, change: Change) -> None:
        level = self.level(change.target, change.kind)
        bucket = bucket_of(change.source, level)
        edges = Edge.objects.filter(target=change.target, kind=change.kind, bucket=bucket, active=True).count()
        if bucket_is_full(edges, bucket, level, self._edges_per_bucket):
            self.grow(change.target, change.kind, level + 1)


def write_changes(changes: Sequence[Change]) -> None:
    """Writes the changes inside the transaction of what they belong to. Call `measure` after it."""
    for change in latest_changes(changes):
        _write_change(change)


def _write_change(change: Change) -> None:
    edge = Edge.objects.filter(source=change.source, kind=change.kind, target=change.target).first()
    if edge is not None and edge.op >= change.op:
        return
    level = EdgeLevel.objects.filter(target=change.target, kind=change.kind).values_list("level", flat=True).first()
    Edge.objects.update_or_create(
        source=change.source,
        kind=change.kind,
        target=change.target,
        defaults={"op": change.op, "active": change.present, "bucket": bucket_of(change.source, level or 0)},
    )


def _newest(edges: QuerySet[Edge], before: int | None, after: int | None, limit: int) -> list[Association]:
    present = edges.filter(active=True)
    if before is not None:
        present = present.filter(op__lt=before)
    with answering():
        if after is not None:
            return _associations(present.filter(op__gt=after).order_by("op")[:limit])[::-1]
        return _associations(present.order_by("-op")[:limit])


def _associations(edges: QuerySet[Edge]) -> list[Association]:
    return [Association(*row) for row in edges.values_list("source", "kind", "target", "op")]
