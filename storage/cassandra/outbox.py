"""The outbox in Cassandra: one partition a shard and minute, emptied as a whole.

`done` is a flag, so that the work of a minute leaves no tombstones; a minute that is closed
and wholly done goes by one partition tombstone, and its listing by a range tombstone that
grows from the front, so that a sweep never walks the minutes of the past.

Rows of an order are written at the clock's time, not at the order's own: a forgotten minute
is deleted as of SETTLED_US ago, which hides every row that was seen done and no row that a late
write adds. `done` is written by `mark_done` alone, so whichever comes first, it stays.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from storage.cassandra import session
from storage.cassandra.session import Row, Statement
from storage.ids import MAX_ID, id_minute, now_us
from storage.outbox import GRACE_US, PART_DAYS, SETTLED_US, SHARDS, Order, oldest_first, shard_of

PAGE = 5_000
"""Orders read at a time from one minute."""
MINUTE_US = 60_000_000

_INSERT = "INSERT INTO outbox (shard, minute, id, kind, args) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
_INSERT_MINUTE = "INSERT INTO outbox_minutes (shard, minute) VALUES (?, ?) USING TIMESTAMP ?"
_MARK = "UPDATE outbox USING TTL ? SET done = true WHERE shard = ? AND minute = ? AND id = ?"
_OPEN = "SELECT kind, done FROM outbox WHERE shard = ? AND minute = ? AND id = ?"
_ORDERS = "SELECT id, kind, args, done FROM outbox WHERE shard = ? AND minute = ? AND id > ? AND id < ? LIMIT ?"
_MINUTES = "SELECT minute FROM outbox_minutes WHERE shard = ? AND minute <= ?"
_FORGET = "DELETE FROM outbox USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_UNLIST = "DELETE FROM outbox_minutes USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_UNLIST_BELOW = "DELETE FROM outbox_minutes USING TIMESTAMP ? WHERE shard = ? AND minute < ?"
_INSERT_PART = "INSERT INTO outbox_parts (order_id, part) VALUES (?, ?)"
_PARTS = "SELECT part FROM outbox_parts WHERE order_id = ?"


def order_statements(order: Order) -> list[Statement]:
    """What puts the order into a logged batch, beside what it announces."""
    shard, minute, written = shard_of(order.id), id_minute(order.id), now_us()
    return [
        (_INSERT, (shard, minute, order.id, order.kind, list(order.args), written)),
        (_INSERT_MINUTE, (shard, minute, written)),
    ]


class CassandraOutbox:
    """See `storage.outbox.Outbox`. A sweep costs a read per listed minute of each shard."""

    def add(self, order: Order) -> None:
        session.batch(order_statements(order))

    def mark_done(self, order_id: int) -> None:
        session.execute(_MARK, (PART_DAYS * 86_400, shard_of(order_id), id_minute(order_id), order_id))

    def is_open(self, order_id: int) -> bool:
        rows = session.execute(_OPEN, (shard_of(order_id), id_minute(order_id), order_id))
        return any(kind is not None and not done for kind, done in rows)

    def mark_part_done(self, order_id: int, part: int, *, parts: int) -> bool:
        """Written before it is counted, both at quorum: whoever comes last sees all."""
        session.execute(_INSERT_PART, (order_id, part))
        return self.finished_parts(order_id) >= set(range(parts))

    def finished_parts(self, order_id: int) -> set[int]:
        return {part for (part,) in session.execute(_PARTS, (order_id,))}

    def open_orders(self, *, after: int = 0, before: int, limit: int) -> list[Order]:
        found: list[Order] = []
        for shard, minutes in _listed_minutes(up_to=id_minute(before)):
            later = [minute for minute in minutes if minute >= id_minute(after)]
            found += islice(_open_orders(shard, later, before, after), limit)
        return oldest_first(found, limit)

    def oldest_open(self) -> int | None:
        listed = _listed_minutes(up_to=id_minute(MAX_ID))
        firsts = (next(_open_orders(shard, minutes, MAX_ID), None) for shard, minutes in listed)
        return min((order.id for order in firsts if order is not None), default=None)

    def discard_closed(self, *, now_us: int) -> int:
        closed = (now_us - GRACE_US) // MINUTE_US - 1
        return sum(_discard(shard, minutes, closed, now_us) for shard, minutes in _listed_minutes(up_to=closed))


def _listed_minutes(*, up_to: int) -> list[tuple[int, list[int]]]:
    """(shard, its minutes that hold something, ascending) of every shard. One round trip."""
    listed = session.execute_many(_MINUTES, [(shard, up_to) for shard in range(SHARDS)])
    return [(shard, [minute for (minute,) in rows]) for shard, rows in enumerate(listed)]


def _orders(shard: int, minute: int, before: int, after: int) -> Iterator[Row]:
    while True:
        rows = session.execute(_ORDERS, (shard, minute, after, before, PAGE))
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def _open_orders(shard: int, minutes: Sequence[int], before: int, after: int = 0) -> Iterator[Order]:
    """Ascending; reads as far as it is asked. A mark whose order is not there (yet) is a row that is done."""
    for minute in minutes:
        for order_id, kind, args, done in _orders(shard, minute, before, after):
            if not done:
                yield Order(order_id, kind, tuple(args or ()))


def _discard(shard: int, minutes: Sequence[int], closed: int, now: int) -> int:
    """Forgets those of the shard's closed minutes that hold no open order; answers how many."""
    open_minutes = {minute for minute in minutes if next(_open_orders(shard, [minute], MAX_ID), None)}
    finished = [minute for minute in minutes if minute not in open_minutes]
    if not finished:
        return 0
    seen = now - SETTLED_US
    front = min(open_minutes, default=closed + 1)
    session.execute_many(_FORGET, [(seen, shard, minute) for minute in finished])
    session.execute_many(_UNLIST, [(seen, shard, minute) for minute in finished if minute > front])
    session.execute(_UNLIST_BELOW, (seen, shard, front))
    return len(finished)
