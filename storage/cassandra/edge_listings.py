"""Listings of edges by time, one for each end: a month log, checked against the truth when it is read.

What races can leave behind is a row of an operation that another one overtook between reading the truth and
writing. Such a row is passed over, and removed.
"""

import time
from collections.abc import Mapping, Sequence

from storage.cassandra import session
from storage.cassandra.month_log import MonthLog
from storage.cassandra.session import Row
from storage.errors import Unavailable
from storage.ids.snowflakes import write_timestamp
from storage.ports.associations import Association
from storage.ports.ranges import Range

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


def newest_of_many(ranges: Mapping[Owner, Range]) -> dict[Owner, list[Association]]:
    """Returns the edges of each owner's range, newest first, as `newest` does of one, at its cost for all together."""
    found: dict[Owner, list[Association]] = {owner: [] for owner in ranges}
    ends, asked = time.monotonic() + LISTING_SECONDS, dict(ranges)
    while asked:
        read = LOG.read_ranges(asked)
        present = _present_of_many(read)
        further: dict[Owner, Range] = {}
        for owner, rows in read.items():
            upwards, wanted = ranges[owner].after is not None, ranges[owner].limit
            found[owner] = [*present[owner], *found[owner]] if upwards else [*found[owner], *present[owner]]
            if len(rows) == asked[owner].limit and len(found[owner]) < wanted:
                more = max(wanted, min(asked[owner].limit * GROWTH, MOST_ROWS))
                further[owner] = Range(None, rows[0][0], more) if upwards else Range(rows[-1][0], None, more)
            found[owner] = found[owner][-wanted:] if upwards else found[owner][:wanted]
        if further and time.monotonic() >= ends:
            raise Unavailable("cassandra")
        asked = further
    return found


def _present_edges(owner: Owner, rows: Sequence[Row]) -> list[Association]:
    """The edges of listing rows, in their order, that the truth confirms."""
    return _present_of_many({owner: rows})[owner]


def _present_of_many(listed: Mapping[Owner, Sequence[Row]]) -> dict[Owner, list[Association]]:
    """One round of concurrent reads, and a write where something was overtaken."""
    edges = [(owner, _edge(owner, op, other)) for owner, rows in listed.items() for op, other in rows]
    truths = session.execute_many(TRUTH, [(edge.source, edge.kind, edge.target) for _, edge in edges])
    _forget_overtaken(edges, [truth[0][0] if truth else 0 for truth in truths])
    present: dict[Owner, list[Association]] = {owner: [] for owner in listed}
    for (owner, edge), truth in zip(edges, truths, strict=True):
        if truth == [(edge.op, True)]:
            present[owner].append(edge)
    return present


def _edge(owner: Owner, op: int, other: int) -> Association:
    one, kind, direction = owner
    source, target = (one, other) if direction == OUT else (other, one)
    return Association(source, kind, target, op)


def _forget_overtaken(edges: Sequence[tuple[Owner, Association]], truths: Sequence[int]) -> None:
    """Only rows whose truth is newer: a truth that is older, or not there, may be about to appear."""
    overtaken = [(owner, edge.op) for (owner, edge), truth in zip(edges, truths, strict=True) if truth > edge.op]
    if overtaken:
        session.execute_all([LOG.delete(owner, op, timestamp=write_timestamp(op)) for owner, op in overtaken])
