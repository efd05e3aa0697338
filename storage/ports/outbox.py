"""The outbox port: what still has to be done about something already written.

An order is written with the thing it announces, all of it or nothing, so that an
acknowledged write always has its order. Workers mark it done; the sweeper finds what was
not marked and sends it again. Work on an order must therefore be idempotent.

An order's place is derived from its id alone: `spread(id, SHARDS)` and the minute of its
snowflake. A minute counts as closed only GRACE_US after its end: a row may still appear late.
An order may also be written long after its id was made (a request repeated next day): it is
found like any other.

For example, tweet 90 is written, with its order, in minute 40:

1. The process dies before it tells the broker. The order is open, so the sweeper finds 90 and sends it.
2. Two workers take it, as it was sent twice: both deliver, which puts 90 into each timeline once, and mark it done.
3. Minute 40 counts as closed 2 minutes after its end. All of it is done, so it is forgotten.
4. Had tweet 90 been deleted before 2, the deletion would have marked order 90 done in its own write: a worker that is
   handed it finds it closed, and the sweeper does not see it.

What an order announces may be undone before it was worked off: a deletion marks the order of its
entry done in its own write, and a worker asks whether an order is still open.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from storage.ids.snowflakes import MAX_ID, id_minute

SHARDS = 8
"""Partitions that take a minute's orders. Fixed: changing it would orphan open orders."""

ALL_SHARDS = range(SHARDS)

SETTLED_US = 60_000_000
"""An order's row sent this long ago is visible or never will be: 5 s that a write may take + 10 s clock skew, doubled
twice for a store that is busy. What is owed to it may come later (storage/cassandra/outbox.py)."""
GRACE_US = 2 * SETTLED_US
"""A minute closes so long after its end: orders of its last moment are written, and done, by then."""
UNREAD_US = 3_600_000_000
"""So long minutes stay that a reader of all orders has not come to, be they wholly done: an hour of an outage."""
PART_DAYS = 7
"""Marks of finished parts are forgotten after so many days: a part done again does no harm."""
DONE_DAYS = 90
"""Done marks are forgotten after so many days, if not with their minute. An open order pins its minute, and with
it the marks of its neighbours: were it open for longer, they would open again. What fails by itself is a
dead letter within minutes (fanout/orders/attempts.py); only an outage of so many days keeps an order open."""


class Order(msgspec.Struct, frozen=True):
    """An order to the workers.

    `id` is the snowflake of the operation; `args` are ids only, in the order its kind defines.
    """

    id: int
    kind: str
    args: tuple[int, ...]


class Outbox(Protocol):
    """Orders of one backend. Raises `Unavailable` when it does not answer."""

    def add(self, order: Order) -> None:
        """Writes an order that announces nothing new, such as a repair. Idempotent."""

    def open_order(self, order_id: int) -> Order | None:
        """Returns the order while it is open: its row is there, and it is not done. One round trip."""

    def open_order_soon(self, order_id: int) -> Callable[[], Order | None]:
        """Does as `open_order`, as of now or a moment later: returns what waits for the answer, and raises then.

        So that something else may be read meanwhile.
        """

    def finished_order(self, order_id: int) -> Order | None:
        """Returns the same, and what was written with the order stands by then, though its process died in between.

        For whoever comes to an order by another way than a message that was sent when all of it stood.
        """

    def finish_orders(self, order_ids: Collection[int]) -> set[int]:
        """Has what was written with these orders stand, as `finished_order` does, of those that are open.

        Read together. Returns those whose writes make no sense, which hold up no other.
        """

    def mark_done(self, order_id: int) -> None:
        """Closes the order. Idempotent. An order marked before its row has appeared stays done."""

    def mark_done_soon(self, order_id: int) -> None:
        """Closes the order as `mark_done`, without waiting. A mark may be lost: then the order stays open.

        Whoever reads orders in this process sees it. Raises nothing.
        """

    def mark_all_done_soon(self, order_ids: Sequence[int]) -> None:
        """Closes these orders as `mark_done_soon`, at the cost of few writes."""

    def mark_part_done(self, order_id: int, part: int, *, parts: int) -> bool:
        """Records one finished part; True when all of 0 … `parts` - 1 have been recorded. Idempotent.

        Parts beyond those do not count: they may come from a repetition that saw more parts.
        """

    def finished_parts(self, order_id: int) -> set[int]:
        """Returns which parts have been recorded."""

    def open_orders(
        self,
        *,
        after: int = 0,
        before: int,
        limit: int,
        shards: Collection[int] = ALL_SHARDS,
        may_miss_late: bool = False,
    ) -> list[Order]:
        """Returns orders of these shards that are not done, with after < id < before, oldest first.

        `may_miss_late`: for who asks every second or two, at less cost. An order that appears later than its id
        settles, or is opened again, may then be missing for some seconds.
        """

    def orders_between(self, *, after: int, before: int, limit: int) -> list[Order]:
        """Returns the orders with after < id < before, done or not, oldest first; for whoever reads all that happens.

        There are at most `limit`, and fewer only at the end. Those of minutes that were discarded are gone; marks
        whose order is not there are none.
        """

    def count_open(self, *, limit: int) -> int:
        """Returns how many orders are open; `limit` if there are at least so many."""

    def oldest_open(self, *, before: int = MAX_ID) -> int | None:
        """Returns the id of the oldest order not done, of those with id < before."""

    def discard_closed(self, *, now_us: int, read_up_to: int = MAX_ID) -> int:
        """Forgets minutes that are closed and wholly done; answers how many. May leave some to the next call.

        Somebody who reads all orders has come to `read_up_to`: what stands above stays, for UNREAD_US, at no cost to
        whoever reads open ones.
        """

    def finish_writes(self, *, now_us: int) -> int:
        """Finishes what was written without an order and left by its process in between; answers how many.

        May leave some to the next call.
        """


def last_closed_minute(now_us: int, read_up_to: int = MAX_ID) -> int:
    """Returns up to which minute, since the Unix epoch, `discard_closed` may forget."""
    closed = (now_us - GRACE_US) // 60_000_000 - 1
    return min(closed, max(id_minute(read_up_to) - 1, (now_us - UNREAD_US) // 60_000_000 - 1))


def oldest_first(orders: Sequence[Order], limit: int) -> list[Order]:
    return sorted(orders, key=lambda order: order.id)[:limit]
