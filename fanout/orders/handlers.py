"""One table: each kind of order, the function that handles it, and the queue it waits in.

A package that has work to be done later says its kind and its handler, and config/orders.py registers
both; fan-out knows neither. Every process of the product registers all of them as it starts,
since whoever sends an order asks for its queue as well.

Worked example: a post writes `Order("deliver", (90, ada))` in one write with tweet 90. Its process asks for the
queue of "deliver" and sends the order there; a worker reads it from the outbox, finds `fan_out.deliver` here,
and calls it. A follow's order, "graph", is sent by the sweeper alone, if Redis could not be told; were its kind
not registered where the sweeper runs, it would wait behind tweets, and no more.
"""

from collections.abc import Callable, Sequence

import msgspec

from fanout.orders.kinds import PoisonedOrder
from fanout.orders.queues import FANOUT, QUEUES
from storage.ports.outbox import Order
from storage.tracing import traced


class Context(msgspec.Struct, frozen=True):
    """The way in which an order came to its worker."""

    resent: bool = False
    """Whether the sweeper sent it again."""


Handler = Callable[[Order, Context], None]
"""Does what an order asks and marks it done, or hands it on. Idempotent, as an order may come any number of times.

Raises `Unavailable`, and then the order is still open; `OrderClosed` for one that is not; anything else for an order
that is at fault itself (orders/attempts.py).
"""


Together = Callable[[Sequence[Order]], None]
"""Does at once what orders of one kind ask that their writers have announced, and marks them done. Idempotent.

Raises `Unavailable`, and then those are open that a backend keeps waiting; anything else when one of them is at fault,
and then each is to be handled by itself.
"""


StandingOf = Callable[[Order], int | None]
"""Returns the operation that an order stands for now; None when a later one has overtaken it, whose own order does what
is left to do.

Reads the store. Raises `Unavailable`, also while what was written with the order cannot be seen yet.
"""


def _its_own(order: Order) -> int:
    return order.id


class Handling(msgspec.Struct, frozen=True):
    """The handler of one kind of order, the queue that it waits in, what says for which operation it stands,
    whether the handler looks by itself whether it is open, before it does anything, and what handles many at once."""

    handler: Handler
    queue: str
    standing_of: StandingOf
    looks: bool
    together: Together | None


_table: dict[str, Handling] = {}


def register(
    kind: str,
    handler: Handler,
    *,
    queue: str,
    standing_of: StandingOf = _its_own,
    looks: bool = False,
    together: Together | None = None,
) -> None:
    """Has orders of the kind wait in `queue`, one of QUEUES, and handled by `handler`.

    `standing_of` is asked before anything of the order is pushed, after the snapshot that it is pushed under; by
    default an order stands for the operation of its own id. `looks`: the handler reads the order before it does
    anything, and raises `OrderClosed` when it is not open; so one that its writer announces need not be read before.
    `together` has orders that a process writes shortly after one another go to the workers in one message
    (orders/gathering.py): of a kind for which it does no harm to be worked off although it was closed meanwhile.

    Raises `ValueError` for a kind that is registered already, or another queue, which no sweep would look at.
    """
    if kind in _table:
        raise ValueError(f"two handlers of the kind of order {kind}")
    if queue not in QUEUES:
        raise ValueError(f"no queue of whole orders: {queue}")
    _table[kind] = Handling(handler, queue, standing_of, looks, together)


def known_kind(kind: str) -> str:
    """Returns the kind if it is registered, for who counts by kinds; else "unknown"."""
    return kind if kind in _table else "unknown"


def queue_of(kind: str) -> str:
    """Returns the queue of the kind: FANOUT for one that is not registered, where a worker finds it poisoned."""
    return _table[kind].queue if kind in _table else FANOUT


def goes_together(kind: str) -> bool:
    """Says whether orders of the kind go to the workers many in a message."""
    return kind in _table and _table[kind].together is not None


def come_announced(kind: str) -> bool:
    """Says whether a worker need not read an order of the kind before it begins, when its writer's message says all."""
    return kind in _table and _table[kind].looks


def announced(order_id: int, kind: str, args: Sequence[int] | None) -> Order | None:
    """Returns the order as its writer's message has it, if its handler looks by itself whether it is open; else None.

    None as well for a message of the version before, which has no arguments.
    """
    return Order(order_id, kind, tuple(args)) if come_announced(kind) and args is not None else None


def standing_of(order: Order) -> int | None:
    """Returns the operation that the order stands for, None when it was overtaken; as `StandingOf` promises."""
    return _table[order.kind].standing_of(order) if order.kind in _table else order.id


@traced("order.handle")
def work_off(order: Order, *, resent: bool = False) -> None:
    """Handles the order by its kind; promises and errors are those of `Handler`. Raises `PoisonedOrder` for no kind."""
    if order.kind not in _table:
        raise PoisonedOrder(f"no such kind of order: {order.kind}")
    _table[order.kind].handler(order, Context(resent))


@traced("orders.handle")
def work_off_together(kind: str, orders: Sequence[Order]) -> None:
    """Handles orders of one kind at once; promises and errors are those of `Together`. Raises `PoisonedOrder` for a
    kind of which each goes by itself."""
    together = _table[kind].together if kind in _table else None
    if together is None:
        raise PoisonedOrder(f"no orders of this kind go together: {kind}")
    together(orders)
