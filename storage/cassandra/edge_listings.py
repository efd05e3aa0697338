"""Listings of edges by time, one for each end: a month log, checked against the truth when it is read.

What races can leave behind is a row of an operation that another one overtook between reading the truth and
writing. Such a row is passed over, and removed.
"""

import time
from collections.abc import Sequence

from storage.cassandra import session
from storage.cassandra.month_log import MonthLog
from storage.cassandra.session import Row
from storage.errors import Unavailable
from storage.ids.snowflakes import write_timestamp
from storage.ports.associations import Association

LISTING_SECONDS = 3.0
"""How long a listing may walk to fill a page; only one full of overtaken rows, left by races, is walked on from."""
GROWTH = 4
MOST_ROWS = 500
"""Rows of one further step: each is compared with the truth."""

TRUTH = "SELECT op, active FROM edges_out WHERE source = ? AND kind = ? AND target = ?"

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


def newest(owner: Owner, before: int | None, after: int | None, limit: int) -> list[Association]:
    """Returns the newest edges of a listing below `before`, or the nearest above `after`.

    Costs two round trips besides the months walked. Raises `Unavailable` after LISTING_SECONDS
    among overtaken rows: a short page would say that the listing ends. Those rows are removed, so
    the next call gets further.
    """
    upwards = after is not None
    found: list[Association] = []
    ends, asked = time.monotonic() + LISTING_SECONDS, limit
    while True:
        rows = LOG.read(owner, before=before, after=after or 0, limit=asked, oldest_first=upwards)
        found += _present_edges(owner, rows)
        if len(rows) < asked or len(found) >= limit:
            return found[:limit][::-1] if upwards else found[:limit]
        if time.monotonic() >= ends:
            raise Unavailable("cassandra")
        before, after = (before, rows[-1][0]) if upwards else (rows[-1][0], after)
        asked = max(limit, min(asked * GROWTH, MOST_ROWS))


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
    """Only rows whose truth is newer: a truth that is older, or not there, may be about to appear."""
    overtaken = [edge.op for edge, truth in zip(edges, truths, strict=True) if truth > edge.op]
    if overtaken:
        session.execute_all([LOG.delete(owner, op, timestamp=write_timestamp(op)) for op in overtaken])
