"""The writes of changed edges: rows of the truth, of both ends' month logs and of the buckets.

Every row carries its operation's own timestamp, so that in the truth and in every index the last operation wins,
whatever the order of arrival.
"""

from collections.abc import Sequence

from storage.cassandra import session
from storage.cassandra.month_log import MonthLog
from storage.cassandra.session import Statement
from storage.ids.snowflakes import write_timestamp
from storage.ports.associations import Change, bucket_of, latest_changes, removal_buckets

REMOVED_SECONDS = 30 * 86_400
"""How long a removal stays readable in the truth; readers ask about minutes, repairs about days."""

TRUTH = "SELECT op, active FROM edges_out WHERE source = ? AND kind = ? AND target = ?"
LEVEL = "SELECT level FROM edge_levels WHERE target = ? AND kind = ?"
_ADD = "INSERT INTO edges_out (source, kind, target, op, active) VALUES (?, ?, ?, ?, true) USING TIMESTAMP ?"
_REMOVE = (
    "INSERT INTO edges_out (source, kind, target, op, active) VALUES (?, ?, ?, ?, false) USING TIMESTAMP ? AND TTL ?"
)
_ADD_IN = "INSERT INTO edges_in (target, kind, bucket, source, op) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
_REMOVE_IN = "DELETE FROM edges_in USING TIMESTAMP ? WHERE target = ? AND kind = ? AND bucket = ? AND source = ?"

LOG = MonthLog(
    table="edges_by_time",
    months="edge_months",
    owner=("owner", "kind", "direction"),
    id_column="op",
    columns=("other",),
)
OUT, IN = "out", "in"

Owner = tuple[int, str, str]
"""Whose listing: the person or tweet, the kind, and OUT or IN."""


def change_statements(changes: Sequence[Change]) -> list[Statement]:
    """Returns what puts the changes into a logged batch, beside what they belong to. One round trip, if there are any.

    Call `CassandraAssociations.measure` after the batch.
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
    """Returns, for each change, the op of its edge now and the level of its target. One round trip."""
    truths = [(TRUTH, (change.source, change.kind, change.target)) for change in changes]
    levels = [(LEVEL, (change.target, change.kind)) for change in changes]
    found = session.execute_all([*truths, *levels])
    return (
        [rows[0][0] if rows else None for rows in found[: len(changes)]],
        [rows[0][0] if rows else 0 for rows in found[len(changes) :]],
    )


def _change_statements(change: Change, previous: int | None, level: int) -> list[Statement]:
    """Returns what `change` writes over an edge whose op is `previous`; nothing if it is overtaken."""
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
