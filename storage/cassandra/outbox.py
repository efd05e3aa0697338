"""The outbox in Cassandra: one partition a shard and minute, emptied as a whole.

`done` is a flag, so that the work of a minute leaves no tombstones; a minute that is closed
and wholly done goes by one partition tombstone, and its listing by a range tombstone that
grows from the front, so that a sweep never walks the minutes of the past.

Rows of an order are written at the clock's time, not at the order's own: a forgotten minute
is deleted as of SETTLED_US ago, which hides every row that was seen done and no row that a late
write adds. `done` is never written with the row, so whichever comes first, it stays; a replay alone
writes it as false, later than the mark that it undoes.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from storage.cassandra import session
from storage.cassandra.session import Row, Statement
from storage.ids.snowflakes import MAX_ID, id_minute, now_us, spread
from storage.ports.outbox import ALL_SHARDS, DONE_DAYS, GRACE_US, SETTLED_US, SHARDS, Order, oldest_first

PAGE = 5_000
"""Orders read at a time from one minute."""
MINUTE_US = 60_000_000
DISCARDED_AT_ONCE = 60
"""Minutes of a shard that one discarding looks at: an hour's worth, a second in all."""
TURN_US = 30_000_000
"""In an outage of hours the minutes that are looked at change so often: discarding comes to all of them."""

_INSERT = "INSERT INTO outbox (shard, minute, id, kind, args) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
_INSERT_MINUTE = "INSERT INTO outbox_minutes (shard, minute) VALUES (?, ?) USING TIMESTAMP ?"
_MARK = "UPDATE outbox USING TIMESTAMP ? AND TTL ? SET done = true WHERE shard = ? AND minute = ? AND id = ?"
_UNMARK = "UPDATE outbox USING TIMESTAMP ? SET done = false WHERE shard = ? AND minute = ? AND id = ?"
_ORDER = "SELECT kind, args, done FROM outbox WHERE shard = ? AND minute = ? AND id = ?"
_ORDERS = "SELECT id, kind, args, done FROM outbox WHERE shard = ? AND minute = ? AND id > ? AND id < ? LIMIT ?"
_MINUTES = "SELECT minute FROM outbox_minutes WHERE shard = ? AND minute <= ?"
_FORGET = "DELETE FROM outbox USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_UNLIST = "DELETE FROM outbox_minutes USING TIMESTAMP ? WHERE shard = ? AND minute = ?"
_UNLIST_BELOW = "DELETE FROM outbox_minutes USING TIMESTAMP ? WHERE shard = ? AND minute < ?"
_INSERT_PART = "INSERT INTO outbox_parts (order_id, part) VALUES (?, ?)"
_PARTS = "SELECT part FROM outbox_parts WHERE order_id = ?"


def write_with_order(statements: Sequence[Statement], order: Order | None) -> None:
    """Makes one logged batch of the statements and the order that announces them.

    A process that stands still between naming the order's time and sending it may send it to a
    minute that was forgotten meanwhile as of a later time, which would hide it. Forgetting
    reaches back SETTLED_US; so if the answer took half as long, the order is written again, now.
    """
    if order is None:
        session.batch(statements)
        return
    named_us = now_us()
    session.batch([*statements, *_row_statements(order, named_us)])
    if now_us() - named_us >= SETTLED_US // 2:
        write_with_order([], order)


def done_statement(order_id: int, *, at_us: int | None = None) -> Statement:
    """Returns what closes an order, whether its row is there or not; in the logged batch of what undoes it."""
    return _MARK, (at_us or now_us(), DONE_DAYS * 86_400, *_place(order_id), order_id)


def reopening_statements(order: Order, *, at_us: int) -> list[Statement]:
    """Returns what opens an order that was marked done before `at_us`; also after its minute was forgotten."""
    return [*_row_statements(order, at_us), (_UNMARK, (at_us, *_place(order.id), order.id))]


class CassandraOutbox:
    """See `storage.ports.outbox.Outbox`. A sweep costs a read per listed minute of each shard."""

    def add(self, order: Order) -> None:
        write_with_order([], order)

    def open_order(self, order_id: int) -> Order | None:
        rows = session.execute(_ORDER, (*_place(order_id), order_id))
        kind, args, done = rows[0] if rows else (None, None, None)
        return Order(order_id, kind, tuple(args or ())) if kind is not None and not done else None

    def mark_done(self, order_id: int) -> None:
        session.execute(*done_statement(order_id))

    def mark_part_done(self, order_id: int, part: int, *, parts: int) -> bool:
        """Writes the part before it counts, both at quorum: whoever comes last sees all."""
        session.execute(_INSERT_PART, (order_id, part))
        return self.finished_parts(order_id) >= set(range(parts))

    def finished_parts(self, order_id: int) -> set[int]:
        return {part for (part,) in session.execute(_PARTS, (order_id,))}

    def open_orders(
        self, *, after: int = 0, before: int, limit: int, shards: Collection[int] = ALL_SHARDS
    ) -> list[Order]:
        found: list[Order] = []
        for shard, minutes in _listed_minutes(up_to=id_minute(before), shards=shards):
            later = [minute for minute in minutes if minute >= id_minute(after)]
            found += islice(_open_orders(shard, later, before, after), limit)
        return oldest_first(found, limit)

    def count_open(self, *, limit: int) -> int:
        listed = _listed_minutes(up_to=id_minute(MAX_ID))
        orders = (order for shard, minutes in listed for order in _open_orders(shard, minutes, MAX_ID))
        return sum(1 for _ in islice(orders, limit))

    def oldest_open(self) -> int | None:
        listed = _listed_minutes(up_to=id_minute(MAX_ID))
        firsts = (next(_open_orders(shard, minutes, MAX_ID), None) for shard, minutes in listed)
        return min((order.id for order in firsts if order is not None), default=None)

    def discard_closed(self, *, now_us: int) -> int:
        closed = (now_us - GRACE_US) // MINUTE_US - 1
        return sum(_discard(shard, minutes, closed, now_us) for shard, minutes in _listed_minutes(up_to=closed))


def _place(order_id: int) -> tuple[int, int]:
    return spread(order_id, SHARDS), id_minute(order_id)


def _row_statements(order: Order, written: int) -> list[Statement]:
    place = _place(order.id)
    return [
        (_INSERT, (*place, order.id, order.kind, list(order.args), written)),
        (_INSERT_MINUTE, (*place, written)),
    ]


def _listed_minutes(*, up_to: int, shards: Collection[int] = ALL_SHARDS) -> list[tuple[int, list[int]]]:
    """(shard, its minutes that hold something, ascending) of each shard. One round trip."""
    listed = session.execute_many(_MINUTES, [(shard, up_to) for shard in shards])
    return [(shard, [minute for (minute,) in rows]) for shard, rows in zip(shards, listed, strict=True)]


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
            if kind is not None and not done:
                yield Order(order_id, kind, tuple(args or ()))


def _discard(shard: int, listed: Sequence[int], closed: int, now: int) -> int:
    """Forgets closed minutes of the shard that hold no open order, of those whose turn it is; answers how many."""
    finished = [minute for minute in _turn(listed, now) if not next(_open_orders(shard, [minute], MAX_ID), None)]
    if not finished:
        return 0
    seen = now - SETTLED_US
    front = min(set(listed) - set(finished), default=closed + 1)
    session.execute_many(_FORGET, [(seen, shard, minute) for minute in finished])
    session.execute_many(_UNLIST, [(seen, shard, minute) for minute in finished if minute > front])
    session.execute(_UNLIST_BELOW, (seen, shard, front))
    return len(finished)


def _turn(minutes: Sequence[int], now: int) -> Sequence[int]:
    turns = -(-len(minutes) // DISCARDED_AT_ONCE) or 1
    start = now // TURN_US % turns * DISCARDED_AT_ONCE
    return minutes[start : start + DISCARDED_AT_ONCE]
