"""Forgetting minutes of the outbox in Cassandra that are closed and wholly done.

A minute goes by one partition tombstone, and its listing by a range tombstone that grows from the front, so that nobody
walks the minutes of the past.

**What the reader of all orders has not read** stays, but not where open orders are looked for: such a minute is set
aside, from `outbox_minutes` to `outbox_unread`, which only `orders_between` and discarding read. So a reader that is
away for an hour costs whoever reads open orders nothing. An order that comes late to such a minute lists it again
beside, like any other; the minute then goes by neither listing before it is done.

For example, minute 40 is closed and done, and the reader has come to minute 35:

1. 40 is listed as unread, and then taken off `outbox_minutes`. Who dies in between leaves it in both, which does no
   harm; who reads these first and then the unread ones does not miss it.
2. The reader has come to 41, or an hour has passed: 40 is looked at once more, and forgotten with both its listings.

Deletions, and what sets aside, are as of SETTLED_US ago: they hide nothing that was not seen (outbox.py).
"""

from collections.abc import Collection, Sequence

from storage.cassandra import session
from storage.cassandra.order_rows import each_open, listed_minutes, unread_minutes
from storage.ids.snowflakes import MAX_ID
from storage.ports.outbox import SETTLED_US

DISCARDED_AT_ONCE = 60
"""Minutes of a shard that one discarding looks at: an hour's worth, a second in all."""
TURN_US = 30_000_000
"""In an outage of hours the minutes that are looked at change so often: discarding comes to all of them."""

_FORGET = "DELETE FROM outbox USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_UNLIST = "DELETE FROM outbox_minutes USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_UNLIST_BELOW = "DELETE FROM outbox_minutes USING TIMESTAMP ? WHERE shard = ? AND minute < ?"
_SET_ASIDE = "INSERT INTO outbox_unread (shard, minute) VALUES (?, ?) USING TIMESTAMP ?"
_READ = "DELETE FROM outbox_unread USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_READ_BELOW = "DELETE FROM outbox_unread USING TIMESTAMP ? WHERE shard = ? AND minute < ?"


def discard(shards: Collection[int], *, closed: int, now_us: int) -> int:
    """Forgets what is done of these shards' minutes up to `closed`; returns how many minutes."""
    listed = listed_minutes(up_to=closed, shards=shards)
    return sum(
        _Discarding(shard, minutes, closed=closed, read=closed, now_us=now_us).run() for shard, minutes in listed
    )


def discard_read(*, closed: int, read: int, now_us: int) -> int:
    """Does so with all orders' minutes up to `read`, and sets aside those above, up to `closed`."""
    listed = listed_minutes(up_to=closed)
    unread = dict(unread_minutes(up_to=read))
    return sum(
        _Discarding(shard, minutes, unread[shard], closed=closed, read=read, now_us=now_us).run()
        for shard, minutes in listed
    )


class _Discarding:
    """Of one shard, whose minutes up to `closed` are `listed`, and of those up to `read` some are `unread`."""

    def __init__(
        self, shard: int, listed: Sequence[int], unread: Sequence[int] = (), *, closed: int, read: int, now_us: int
    ) -> None:
        self._shard = shard
        self._minutes = sorted({*listed, *unread})
        self._unread = unread
        self._end = closed + 1
        self._read = read
        self._now = now_us
        self._seen = now_us - SETTLED_US

    def run(self) -> int:
        """Forgets, or sets aside, minutes that hold no open order, of those whose turn it is; returns how many it
        forgot."""
        finished = [minute for minute in _turn(self._minutes, self._now) if not _has_open(self._shard, minute)]
        if not finished:
            return 0
        read = [minute for minute in finished if minute <= self._read]
        front = min(set(self._minutes) - set(finished), default=self._end)
        session.execute_many(_FORGET, self._dated(read))
        aside = finished[len(read) :]
        session.execute_many(_SET_ASIDE, [(self._shard, minute, self._seen) for minute in aside])
        self._unlist(_UNLIST, _UNLIST_BELOW, finished, front)
        if self._unread:
            self._unlist(_READ, _READ_BELOW, read, min(front, self._read + 1))
        return len(read)

    def _unlist(self, one: str, below: str, minutes: Sequence[int], front: int) -> None:
        session.execute_many(one, self._dated([minute for minute in minutes if minute > front]))
        session.execute(below, (self._seen, self._shard, front))

    def _dated(self, minutes: Sequence[int]) -> list[tuple[int, int, int]]:
        return [(self._seen, self._shard, minute) for minute in minutes]


def _has_open(shard: int, minute: int) -> bool:
    return next(each_open(shard, [minute], MAX_ID), None) is not None


def _turn(minutes: Sequence[int], now: int) -> Sequence[int]:
    turns = -(-len(minutes) // DISCARDED_AT_ONCE) or 1
    start = now // TURN_US % turns * DISCARDED_AT_ONCE
    return minutes[start : start + DISCARDED_AT_ONCE]
