"""Sending again what was not done: the outbox's safety net."""

import structlog
from django.conf import settings

from fanout.dispatch import enqueue
from storage.ids import make_id, now_us
from storage.redis import timeline_node
from storage.stores import outbox

SWEEP_LIMIT = 500
"""Orders sent again a sweep: bounded work, and the broker is not flooded after an outage."""
RESEND_SECONDS = 30
"""An order that was sent again is left alone for this long."""

log = structlog.get_logger(__name__)


def sweep() -> int:
    """Re-sends open orders older than SWEEP_AFTER_SECONDS, oldest first; how many.

    Raises `Unavailable`. Sending an order that is being worked on is harmless, only wasteful;
    a mark in Redis keeps it from being sent at each sweep.
    """
    now = now_us()
    before = make_id(now - int(settings.SWEEP_AFTER_SECONDS * 1_000_000), 0)
    orders = outbox().open_orders(before=before, limit=SWEEP_LIMIT)
    marks = [("SET", f"sweep:{order.id}", b"1", "NX", "EX", RESEND_SECONDS) for order in orders]
    fresh = timeline_node().round_trip(*marks) if marks else []
    due = [order for order, is_fresh in zip(orders, fresh, strict=True) if is_fresh]
    for order in due:
        enqueue(order)
    if due:
        log.info("orders_sent_again", count=len(due), oldest=due[0].id)
    outbox().discard_closed(now_us=now)
    return len(due)
