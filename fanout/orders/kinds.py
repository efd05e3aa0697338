"""The kinds of orders that fan-out handles itself, and what their arguments mean."""

from storage.ports.outbox import Order

DELIVER = "deliver"
"""args: entry id, author id. Put the entry into the timelines of the author's followers."""
RETRACT = "retract"
"""args: entry id, author id. Take it out of them again."""
BEGIN_PULLING = "begin-pulling"
"""args: author id. From now on followers merge the author's entries when they read (delivery/celebrities.py)."""
END_PULLING = "end-pulling"
"""args: author id. From now on they are pushed to followers again."""


class PoisonedOrder(Exception):
    """An order that no attempt can work off: of an unknown kind, or with arguments that its kind does not have."""


def deliver_order(entry_id: int, author_id: int) -> Order:
    """The order of a new entry; it has the entry's own id, so a repeated post repeats no order."""
    return Order(id=entry_id, kind=DELIVER, args=(entry_id, author_id))


def retract_order(op: int, entry_id: int, author_id: int) -> Order:
    """The order of the deletion `op` of an entry."""
    return Order(id=op, kind=RETRACT, args=(entry_id, author_id))


def entry_and_author(order: Order) -> tuple[int, int]:
    """Returns what a DELIVER or RETRACT order is about. Raises `PoisonedOrder` for other arguments than those two."""
    if len(order.args) != 2:
        raise PoisonedOrder(f"{order.kind} takes an entry and its author, not {len(order.args)} arguments")
    return order.args[0], order.args[1]
