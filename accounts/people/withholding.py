"""Ordering that what somebody does is counted, or not counted, as their suspension says.

The order asks for the present state: its handler (tweets/writing/withholding.py) looks whether the person is
suspended when it is worked off. So it may be written before the suspension, or its end, is committed, and a
process that dies in between leaves nothing undone. It is not sent to the workers but waits for the sweeper,
until a request that was let in before the suspension has ended and its marks can be seen; were one slower
than SWEEP_AFTER_SECONDS, its mark would be counted until the next suspension or restoration.
"""

import structlog

from storage import stores
from storage.errors import Unavailable
from storage.ports.outbox import Order

WITHHOLD_ORDER = "withhold"
"""The kind of order that withholds what a suspended person does from counts, or counts it again; its args are the
person, a stage and a place in it, 0 and 0 for the beginning. Orders that wait in an outbox carry this very word."""

log = structlog.get_logger(__name__)


def order_withholding(user_id: int) -> None:
    """Orders that a person's marks be counted as their suspension will say in a moment. One store write.

    Raises nothing, since a suspension must not wait for counts: when the store does not answer,
    suspending (or restoring) again orders it again.
    """
    try:
        write_withholding_order(user_id)
    except Unavailable as error:
        log.warning("withholding_not_ordered", user_id=user_id, backend=error.backend)


def write_withholding_order(user_id: int) -> None:
    """Orders the same for whoever must know that it is ordered. Raises `Unavailable`."""
    stores.outbox().add(Order(id=stores.ids.next(), kind=WITHHOLD_ORDER, args=(user_id, 0, 0)))
