"""The kinds of orders that fan-out handles itself, and what their arguments mean."""

from storage.ports.outbox import Order

DELIVER = "deliver"
"""args: entry id, author id, numbers of hashtags. Put the entry into the timelines of the author's followers, and tell
sockets that listen to its hashtags, if it has any."""
TELL = "tell"
"""The same args. The entry goes into nobody's timeline: it is told to those sockets alone."""
RETRACT = "retract"
"""args: entry id, author id. Take it out of them again."""
RESTORE = "restore"
"""The args of DELIVER. Put the entry back that was taken out of them; the order's id is the restoration's."""
WITH_HASHTAGS = (DELIVER, TELL, RESTORE)
BEGIN_PULLING = "begin-pulling"
"""args: author id. From now on followers merge the author's entries when they read (delivery/celebrities.py)."""
END_PULLING = "end-pulling"
"""args: author id. From now on they are pushed to followers again."""


class OrderClosed(Exception):
    """The order was closed before anything was done of it: by a deletion, or by whoever had it before."""


class PoisonedOrder(Exception):
    """An order that no attempt can work off: of an unknown kind, or with arguments that its kind does not have."""


def entry_and_author(order: Order) -> tuple[int, int]:
    """Returns what an order of an entry is about. Raises `PoisonedOrder` for one that does not say it."""
    if len(order.args) < 2 or (len(order.args) > 2 and order.kind not in WITH_HASHTAGS):
        raise PoisonedOrder(f"{order.kind} takes an entry and its author, not {len(order.args)} arguments")
    return order.args[0], order.args[1]


def hashtags_in(order: Order) -> tuple[int, ...]:
    """Returns the numbers of the hashtags of the order's entry (tweets/hashtags.py); none is in a RETRACT order."""
    return order.args[2:]
