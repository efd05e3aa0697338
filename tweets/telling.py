"""Telling caches and fan-out of what was written; the store had it first.

Telling may fail: an order was written together with what it announces, and makes good the
timelines; what each cache does about a change that it was not told is said in its module.
"""

import structlog

from fanout.dispatch import dispatcher
from storage.errors import Unavailable
from storage.outbox import Order
from storage.redis import Command, timeline_node

log = structlog.get_logger(__name__)


def tell(commands: list[Command], *orders: Order | None) -> bool:
    """Sends the commands in one round trip, and the orders to the workers; whether Redis took the commands."""
    told = True
    try:
        timeline_node().round_trip(*commands)
    except Unavailable as error:
        told = False
        log.warning("caches_not_told", backend=error.backend)
    for order in orders:
        if order is not None:
            dispatcher.send(order)
    return told
