"""The kinds of orders that fan-out handles itself, and what their arguments mean."""

from storage.ports.outbox import Order

DELIVER = "deliver"
"""args: entry id, author id. Put the entry into the timelines of the author's followers."""
RETRACT = "retract"
"""args: entry id, author id. Take it out of them again."""
RESTORE = "restore"
"""args: entry id, author id. Put the entry back that was taken out of them; the order's id is the restoration's."""
BEGIN_PULLING = "begin-pulling"
"""args: author id. From now on followers merge the author's entries when they read (delivery/celebrities.py)."""
END_PULLING = "end-pulling"
"""args: author id. From now on they are pushed to followers again."""


class OrderClosed(Exception):
    """The order was closed before anything was done of it: by a deletion, or by whoever had it before."""


class PoisonedOrder(Exception):
    """An order that no attempt can work off: of an unknown kind, or with arguments that its kind does not have."""


def entry_and_author(order: Order) -> tuple[int, int]:
    """Returns what a DELIVER or RETRACT order is about. Raises `PoisonedOrder` for other arguments than those two."""
    if len(order.args) != 2:
        raise PoisonedOrder(f"{order.kind} takes an entry and its author, not {len(order.args)} arguments")
    return order.args[0], order.args[1]
