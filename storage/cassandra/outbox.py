"""The outbox in Cassandra, and with it every write of several rows: a partition a shard and minute, emptied as a whole.

**All or nothing, without a logged batch.** The order's row is the one truth. It is written first, and holds all that is
to be written with it (`redo.py`); only when it stands at a quorum, the rest is. Who announced the order to a worker has
written the rest; whoever comes to an order by another way (the sweeper, a request that finds it open) does the rest
again first, which changes nothing where it stands: each row carries its operation's own time. What is written without
an order has a row here alike, in shards of its own, which is finished when the rest stands (docs/adr/044).

`done` is a flag, so that the work of a minute leaves no tombstones; a minute that is closed
and wholly done is forgotten as a whole (`discarding.py`).

Rows of an order are written at the clock's time, not at the order's own: a forgotten minute
is deleted as of SETTLED_US ago, which hides every row that was seen done and no row that a late
write adds. `done` is never written with the row, so whichever comes first, it stays; a replay alone
writes it as false, later than the mark that it undoes.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from cachetools import LRUCache
from django.conf import settings

from storage.cassandra import discarding, finishing, redo, session
from storage.cassandra.finishing import MINUTE_US, WRITE_SHARDS
from storage.cassandra.fronts import Place, fronts
from storage.cassandra.lasting import Known
from storage.cassandra.marks import marks
from storage.cassandra.order_rows import each_open, each_open_from_front, listed_minutes, orders_between
from storage.cassandra.session import Row, Statement
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, id_minute, now_us, spread
from storage.ports.outbox import (
    ALL_SHARDS,
    DONE_DAYS,
    SETTLED_US,
    SHARDS,
    Order,
    last_closed_minute,
    oldest_first,
)

logger = logging.getLogger(__name__)

WRITE = ""
"""In place of the kind of an order."""
LEAST_SECONDS = 0.25
"""With less time left nothing is begun."""

_INSERT = "INSERT INTO outbox (shard, minute, id, kind, args) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
_RECORD = "INSERT INTO outbox (shard, minute, id, kind, args, redo) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
_INSERT_MINUTE = "INSERT INTO outbox_minutes (shard, minute) VALUES (?, ?) USING TIMESTAMP ?"
_MARK = "UPDATE outbox USING TIMESTAMP ? AND TTL ? SET done = true WHERE shard = ? AND minute = ? AND id = ?"
_UNMARK = "UPDATE outbox USING TIMESTAMP ? SET done = false WHERE shard = ? AND minute = ? AND id = ?"
_ORDER = "SELECT kind, args, done FROM outbox WHERE shard = ? AND minute = ? AND id = ?"
_INSERT_PART = "INSERT INTO outbox_parts (order_id, part) VALUES (?, ?)"
_PARTS = "SELECT part FROM outbox_parts WHERE order_id = ?"


_listed: LRUCache[Place, bool] = LRUCache(256)
"""Places of which this process knows that they are listed."""
_lock = threading.Lock()
lasting = Known()


def write_with_order(statements: Sequence[Statement], order: Order | None, *, also: Order | None = None) -> None:
    """Writes all of the statements and the order that announces them, or nothing. Give each `USING TIMESTAMP ?`.

    `also` another order may go with it, whose worker may come before the rest stands. Two round trips, within the time
    of one statement. After `Unavailable` it may still happen, and then all of it, but perhaps for `also`: now, or
    when the sweeper comes by. Not isolated: a reader may see part of it for a moment.
    """
    if order is None:
        order, also = also, None
    rest = lasting.left_to_write(statements)
    ends = time.monotonic() + settings.CASSANDRA_TIMEOUT_SECONDS
    if order is not None:
        _record(_place(order.id), _row(order), rest, ends, also)
        if rest:
            session.write_all(rest, timeout_seconds=_left(ends))
    elif len(rest) > 1:
        _write_without_order(rest, ends)
    else:
        session.write_all(rest)
    lasting.remember(rest)


def forget_known() -> None:
    """Makes the process as if it had just started; for whoever empties tables beneath it."""
    lasting.forget()
    fronts.forget()
    finishing.forget()
    with _lock:
        _listed.clear()


def _write_without_order(rest: Sequence[Statement], ends: float) -> None:
    place = (secrets.choice(WRITE_SHARDS), now_us() // MINUTE_US)
    name = secrets.randbits(63)
    _record(place, (name, WRITE, []), rest, ends)
    session.write_all(rest, timeout_seconds=_left(ends))
    session.write_unwaited(*_mark(place, name, now_us()))


def _record(place: Place, order: Row, rest: Sequence[Statement], ends: float, also: Order | None = None) -> None:
    """Writes the order's row with what is owed to it, and lists its minute; in the same round trip `also` another one.

    A process that stands still between naming the row's time and sending it may send it to a
    minute that was forgotten meanwhile as of a later time, which would hide it. Forgetting
    reaches back SETTLED_US; so if the answer took half as long, the row is written again, now, or given up, as its time
    is over.
    """
    while True:
        named_us = now_us()
        row: Statement = (_INSERT, (*place, *order, named_us))
        if rest:
            row = (_RECORD, (*place, *order, redo.encode(rest), named_us))
        listing: list[Statement] = [] if _is_listed(place, named_us) else [(_INSERT_MINUTE, (*place, named_us))]
        beside = [] if also is None else _row_statements(also, named_us)
        session.write_all([*listing, *beside, row], timeout_seconds=_left(ends))
        if now_us() - named_us < SETTLED_US // 2:
            break
    with _lock:
        _listed[place] = True


def _is_listed(place: Place, now: int) -> bool:
    """Only of a minute that will not be forgotten for a minute more; a listing goes with its minute."""
    with _lock:
        return place in _listed and now < (place[1] + 2) * MINUTE_US


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left < LEAST_SECONDS:
        raise Unavailable("cassandra")
    return left


def done_statement(order_id: int, *, at_us: int | None = None) -> Statement:
    """Returns what closes an order, whether its row is there or not; to be written with what undoes it."""
    return _mark(_place(order_id), order_id, at_us or now_us())


def reopening_statements(order: Order, *, at_us: int) -> list[Statement]:
    """Returns what opens an order that was marked done before `at_us`; also after its minute was forgotten."""
    return [*_row_statements(order, at_us), (_UNMARK, (at_us, *_place(order.id), order.id))]


class CassandraOutbox:
    """See `storage.ports.outbox.Outbox`. A sweep costs a read per listed minute of each shard."""

    def add(self, order: Order) -> None:
        write_with_order([], order)

    def open_order(self, order_id: int) -> Order | None:
        return self.open_order_soon(order_id)()

    def open_order_soon(self, order_id: int) -> Callable[[], Order | None]:
        marks.settle(order_id)
        found = session.execute_soon(_ORDER, (*_place(order_id), order_id))

        def wait() -> Order | None:
            rows = found()
            kind, args, done = rows[0] if rows else (None, None, None)
            return Order(order_id, kind, tuple(args or ())) if kind is not None and not done else None

        return wait

    def finished_order(self, order_id: int) -> Order | None:
        """Costs a round trip more for an order that something was written with."""
        marks.settle(order_id)
        place = _place(order_id)
        rows = session.execute(finishing.WHOLE, (*place, order_id))
        kind, args, done, owed, written_us = rows[0] if rows else (None, None, None, None, None)
        if kind is None or done:
            return None
        if owed is not None:
            finishing.do_again(owed, written_us)
        return Order(order_id, kind, tuple(args or ()))

    def finish_orders(self, order_ids: Collection[int]) -> set[int]:
        """Costs a round trip, and one for each order that something is owed to."""
        marks.settle()
        names = list(order_ids)
        found = session.execute_many(finishing.WHOLE, [(*_place(each), each) for each in names])
        unreadable: set[int] = set()
        for order_id, rows in zip(names, found, strict=True):
            try:
                for kind, _, done, owed, written_us in rows:
                    if kind is not None and not done and owed is not None:
                        finishing.do_again(owed, written_us)
            except Unavailable:
                raise
            except Exception:
                logger.exception("what is owed to order %d cannot be done", order_id)
                unreadable.add(order_id)
        return unreadable

    def mark_done(self, order_id: int) -> None:
        session.execute(*done_statement(order_id))

    def mark_done_soon(self, order_id: int) -> None:
        marks.make(order_id, done_statement(order_id))

    def mark_all_done_soon(self, order_ids: Sequence[int]) -> None:
        """In order of their partitions: what is of one partition in a request is one write to the store."""
        for order_id in sorted(order_ids, key=_place):
            self.mark_done_soon(order_id)

    def mark_part_done(self, order_id: int, part: int, *, parts: int) -> bool:
        """Writes the part before it counts, both at quorum: whoever comes last sees all."""
        session.execute(_INSERT_PART, (order_id, part))
        return self.finished_parts(order_id) >= set(range(parts))

    def finished_parts(self, order_id: int) -> set[int]:
        return {part for (part,) in session.execute(_PARTS, (order_id,))}

    def open_orders(
        self,
        *,
        after: int = 0,
        before: int,
        limit: int,
        shards: Collection[int] = ALL_SHARDS,
        may_miss_late: bool = False,
    ) -> list[Order]:
        marks.settle()
        found: list[Order] = []
        for shard, minutes in listed_minutes(since=id_minute(after), up_to=id_minute(before), shards=shards):
            is_swept = may_miss_late and not after
            orders = (
                each_open_from_front(shard, minutes, before) if is_swept else each_open(shard, minutes, before, after)
            )
            found += islice(orders, limit)
        return oldest_first(found, limit)

    def orders_between(self, *, after: int, before: int, limit: int) -> list[Order]:
        """Costs two round trips at most, and one for each minute that it reads, of all shards side by side."""
        return orders_between(after=after, before=before, limit=limit)

    def count_open(self, *, limit: int) -> int:
        marks.settle()
        listed = listed_minutes(up_to=id_minute(MAX_ID))
        orders = (order for shard, minutes in listed for order in each_open(shard, minutes, MAX_ID))
        return sum(1 for _ in islice(orders, limit))

    def oldest_open(self, *, before: int = MAX_ID) -> int | None:
        marks.settle()
        listed = listed_minutes(up_to=id_minute(before))
        firsts = (next(each_open(shard, minutes, before), None) for shard, minutes in listed)
        return min((order.id for order in firsts if order is not None), default=None)

    def discard_closed(self, *, now_us: int, read_up_to: int = MAX_ID) -> int:
        closed, read = last_closed_minute(now_us), last_closed_minute(now_us, read_up_to)
        orders = discarding.discard_read(closed=closed, read=read, now_us=now_us)
        return orders + discarding.discard(WRITE_SHARDS, closed=closed, now_us=now_us)

    def finish_writes(self, *, now_us: int) -> int:
        """Costs a read of each PAGE of minutes that are not known to be whole; two and a write for each that was left.

        Bounded in number and time. What the store does not answer for is passed over; raises `Unavailable`
        when it does not say which minutes there are.
        """
        return finishing.finish_writes(now_us, mark=_mark)


def _mark(place: Place, order_id: int, at_us: int) -> Statement:
    return _MARK, (at_us, DONE_DAYS * 86_400, *place, order_id)


def _place(order_id: int) -> Place:
    return spread(order_id, SHARDS), id_minute(order_id)


def _row_statements(order: Order, written: int) -> list[Statement]:
    place = _place(order.id)
    return [(_INSERT, (*place, *_row(order), written)), (_INSERT_MINUTE, (*place, written))]


def _row(order: Order) -> Row:
    return order.id, order.kind, list(order.args)
