"""What was deleted lately, in Cassandra: a partition an hour of the operation; rows end after DELETIONS_DAYS.

Read from now backwards, more hours side by side the farther it goes: a socket that was away for a moment
costs one round trip, one that was away for the longest time eight.
"""

from collections.abc import Iterator

from storage.cassandra import session
from storage.cassandra.session import Statement
from storage.ids.snowflakes import id_minute, make_id, now_us, write_timestamp
from tweets.entities import Deletion

AHEAD_US = 3_600_000_000
"""No clock is ahead by more than an hour."""
FIRST_GROUP = 2
LARGEST_GROUP = 32
"""Hours read side by side: 2, since the next hour may have begun on another clock, then 4, 8, … 32."""

_INSERT = "INSERT INTO deletions (hour, op, tweet, author) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
_DELETE = "DELETE FROM deletions USING TIMESTAMP ? WHERE hour = ? AND op = ? AND tweet = ?"
_NEWEST = (
    "SELECT op, tweet, author FROM deletions WHERE hour = ? AND op > ? AND op < ? ORDER BY op DESC, tweet DESC LIMIT ?"
)


def insert(deletion: Deletion) -> Statement:
    """Returns the statement that writes it down."""
    op = deletion.op
    return _INSERT, (_hour(op), op, deletion.tweet_id, deletion.author_id, write_timestamp(op))


def remove(op: int, tweet_id: int, *, timestamp: int) -> Statement:
    """Returns the statement that takes the deletion of that operation back, as of a later time."""
    return _DELETE, (timestamp, _hour(op), op, tweet_id)


def newest(*, after: int, before: int, limit: int) -> list[Deletion]:
    """Returns the newest `limit` with an operation between the two, ascending."""
    found: list[Deletion] = []
    for hours in _hours(after, before):
        rows = session.execute_many(_NEWEST, [(hour, after, before, limit - len(found)) for hour in hours])
        found += [Deletion(*row) for of_hour in rows for row in of_hour]
        if len(found) >= limit:
            break
    return sorted(found[:limit], key=lambda deletion: deletion.op)


def _hours(after: int, before: int) -> Iterator[range]:
    """Groups of hours from that of `before`, or the latest, down to that of `after`."""
    first, latest = _hour(after), _hour(min(before, make_id(now_us() + AHEAD_US, 0)))
    size = FIRST_GROUP
    while latest >= first:
        yield range(latest, max(first, latest - size + 1) - 1, -1)
        latest -= size
        size = min(size * 2, LARGEST_GROUP)


def _hour(op: int) -> int:
    return id_minute(op) // 60
