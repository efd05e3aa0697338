"""Sending again what was not done: the outbox's safety net."""

import structlog
from django.conf import settings
from kombu.exceptions import OperationalError

from fanout.dispatch import enqueue
from storage.errors import Unavailable
from storage.ids import make_id, now_us
from storage.outbox import Order
from storage.redis import Command, timeline_node
from storage.stores import outbox

PAGE = 500
SWEEP_LIMIT = 1_000
"""Orders sent again a sweep: bounded work, and the broker is not flooded after an outage."""
LOOKED_AT = 20_000
"""Open orders looked at a sweep; so orders that were sent a moment ago hide none behind them."""
RESEND_SECONDS = 30
"""An order that was sent again is left alone for this long."""

log = structlog.get_logger(__name__)


def sweep() -> int:
    """Re-sends open orders older than SWEEP_AFTER_SECONDS, oldest first; how many.

    Raises `Unavailable`, for the broker as well. Sending an order that is being worked on is
    harmless, only wasteful; a mark in Redis keeps it from being sent at each sweep.
    """
    now = now_us()
    before = make_id(now - int(settings.SWEEP_AFTER_SECONDS * 1_000_000), 0)
    try:
        sent = _send_again(before)
    finally:
        outbox().discard_closed(now_us=now)
    if sent:
        log.info("orders_sent_again", count=sent)
    return sent


def _send_again(before: int) -> int:
    sent = after = 0
    for _ in range(LOOKED_AT // PAGE):
        orders = outbox().open_orders(after=after, before=before, limit=PAGE)
        if not orders:
            break
        for order in _due(orders):
            _send(order)
            sent += 1
        if sent >= SWEEP_LIMIT or len(orders) < PAGE:
            break
        after = orders[-1].id
    return sent


def _due(orders: list[Order]) -> list[Order]:
    """Those not sent within RESEND_SECONDS; they count as sent from now on. One round trip."""
    marks: list[Command] = [("SET", _mark(order), b"1", "NX", "EX", RESEND_SECONDS) for order in orders]
    fresh = timeline_node().round_trip(*marks)
    return [order for order, is_fresh in zip(orders, fresh, strict=True) if is_fresh]


def _send(order: Order) -> None:
    """An order that the broker did not take is due again at the next sweep."""
    try:
        enqueue(order)
    except (OperationalError, Unavailable) as error:
        timeline_node().round_trip(("DEL", _mark(order)))
        raise Unavailable("redis_broker") from error


def _mark(order: Order) -> str:
    return f"sweep:{order.id}"
