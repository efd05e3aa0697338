"""The kinds of orders that fan-out works off, and what their arguments mean."""

from storage.outbox import Order

DELIVER = "deliver"
"""args: entry id, author id. Put the entry into the timelines of the author's followers."""
RETRACT = "retract"
"""args: entry id, author id. Take it out of them again."""
BEGIN_PULLING = "begin-pulling"
"""args: author id. From now on followers merge the author's entries when they read (celebrities.py)."""
END_PULLING = "end-pulling"
"""args: author id. From now on they are pushed to followers again."""


def deliver_order(entry_id: int, author_id: int) -> Order:
    """The order of a new entry; it has the entry's own id, so a repeated post repeats no order."""
    return Order(id=entry_id, kind=DELIVER, args=(entry_id, author_id))


def retract_order(op: int, entry_id: int, author_id: int) -> Order:
    return Order(id=op, kind=RETRACT, args=(entry_id, author_id))
