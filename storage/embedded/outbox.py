"""The outbox in SQLite: a row an order, flagged done, removed when its minute is closed."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any

import msgspec

from storage.embedded.base import Statement, answering, rows_of, run, writing
from storage.errors import Unavailable
from storage.ids.snowflakes import EPOCH_US, MAX_ID, WORKER_BITS, id_minute, spread
from storage.models import OutboxAttempt, OutboxOrder, OutboxPart
from storage.ports.outbox import ALL_SHARDS, PART_DAYS, SHARDS, Order, last_closed_minute

logger = logging.getLogger(__name__)

_INSERT = "INSERT INTO storage_outboxorder (id, kind, args, done) VALUES"
_WRITE = f"{_INSERT} (%s, %s, %s, false) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, args = excluded.args"
_REOPEN = f"{_WRITE}, done = false"
_CLOSE = f"{_INSERT} (%s, NULL, '[]', true) ON CONFLICT (id) DO UPDATE SET done = true"
_OPEN = "SELECT kind, args FROM storage_outboxorder WHERE id = %s AND NOT done AND kind IS NOT NULL"
_BETWEEN = (
    "SELECT id, kind, args FROM storage_outboxorder WHERE id > %s AND id < %s AND kind IS NOT NULL ORDER BY id LIMIT %s"
)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[Any, ...])
"""Not strictly: an order with other arguments is its handler's to refuse, so that it becomes a dead letter."""

DELETED_AT_ONCE = 500
"""Below SQLite's limit of variables in a statement."""


class EmbeddedOutbox:
    """See `storage.ports.outbox.Outbox`. Open orders have an index of their own."""

    def add(self, order: Order) -> None:
        with writing():
            run(order_statement(order))

    def open_order(self, order_id: int) -> Order | None:
        rows = rows_of((_OPEN, (order_id,)))
        return Order(order_id, rows[0][0], _decoder.decode(rows[0][1])) if rows else None

    def open_order_soon(self, order_id: int) -> Callable[[], Order | None]:
        """There is nothing to wait for: reads it at once."""
        found = self.open_order(order_id)
        return lambda: found

    def finished_order(self, order_id: int) -> Order | None:
        """What was written with the order was one transaction with it."""
        return self.open_order(order_id)

    def finish_orders(self, order_ids: Collection[int]) -> set[int]:
        """Likewise."""
        return set()

    def finish_writes(self, *, now_us: int) -> int:
        return 0

    def mark_done(self, order_id: int) -> None:
        with writing():
            run(close_statement(order_id))

    def mark_done_soon(self, order_id: int) -> None:
        self.mark_all_done_soon([order_id])

    def mark_all_done_soon(self, order_ids: Sequence[int]) -> None:
        """Makes one transaction."""
        try:
            with writing():
                run(*map(close_statement, order_ids))
        except Unavailable:
            logger.info("done marks were lost: their orders will be worked off again")

    def mark_part_done(self, order_id: int, part: int, *, parts: int) -> bool:
        with writing():
            OutboxPart.objects.get_or_create(order_id=order_id, part=part)
        return self.finished_parts(order_id) >= set(range(parts))

    def finished_parts(self, order_id: int) -> set[int]:
        with answering():
            return set(OutboxPart.objects.filter(order_id=order_id).values_list("part", flat=True))

    def open_orders(
        self,
        *,
        after: int = 0,
        before: int,
        limit: int,
        shards: Collection[int] = ALL_SHARDS,
        may_miss_late: bool = False,
    ) -> list[Order]:
        """Reads past those of other shards: a file of one machine has no shards of its own. Misses none."""
        orders = OutboxOrder.objects.filter(done=False, id__gt=after, id__lt=before).order_by("id")
        with answering():
            if len(shards) == SHARDS:
                return [_order(order) for order in orders[:limit]]
            own = (order for order in orders.iterator() if spread(order.id, SHARDS) in shards)
            return [_order(order) for order in islice(own, limit)]

    def orders_between(self, *, after: int, before: int, limit: int) -> list[Order]:
        rows = rows_of((_BETWEEN, (after, before, limit)))
        return [Order(order_id, kind, _decoder.decode(args)) for order_id, kind, args in rows]

    def count_open(self, *, limit: int) -> int:
        with answering():
            return OutboxOrder.objects.filter(done=False)[:limit].count()

    def oldest_open(self, *, before: int = MAX_ID) -> int | None:
        with answering():
            return (
                OutboxOrder.objects.filter(done=False, id__lt=before)
                .order_by("id")
                .values_list("id", flat=True)
                .first()
            )

    def discard_closed(self, *, now_us: int, read_up_to: int = MAX_ID) -> int:
        places: dict[tuple[int, int], list[tuple[int, bool]]] = defaultdict(list)
        closed = _first_id_of_minute(last_closed_minute(now_us, read_up_to) + 1)
        with writing():
            for order_id, done in OutboxOrder.objects.filter(id__lt=closed).values_list("id", "done"):
                places[spread(order_id, SHARDS), id_minute(order_id)].append((order_id, done))
            finished = [orders for orders in places.values() if all(done for _, done in orders)]
            _delete([order_id for orders in finished for order_id, _ in orders])
            forgotten = _first_id_of_minute((now_us - PART_DAYS * 86_400_000_000) // 60_000_000)
            OutboxPart.objects.filter(order_id__lt=forgotten).delete()
            OutboxAttempt.objects.filter(order_id__lt=forgotten).delete()
        return len(finished)


def order_statement(order: Order) -> Statement:
    """Returns what writes the order, in the transaction of what it announces. Leaves `done` as it is."""
    return _WRITE, (order.id, order.kind, _encoded(order.args))


def close_statement(order_id: int) -> Statement:
    """Returns what closes the order, in a transaction. One that is not there yet becomes a row without a kind."""
    return _CLOSE, (order_id,)


def reopen_statement(order: Order) -> Statement:
    """Returns what opens the order, in a transaction, as if it had just been written."""
    return _REOPEN, (order.id, order.kind, _encoded(order.args))


def _encoded(args: Sequence[int]) -> str:
    return _encoder.encode(args).decode()


def _order(row: OutboxOrder) -> Order:
    return Order(row.id, row.kind or "", tuple(row.args))


def _first_id_of_minute(minute: int) -> int:
    return min(max((minute * 60_000_000 - EPOCH_US) << WORKER_BITS, 0), MAX_ID)


def _delete(ids: list[int]) -> None:
    for start in range(0, len(ids), DELETED_AT_ONCE):
        OutboxOrder.objects.filter(id__in=ids[start : start + DELETED_AT_ONCE]).delete()
