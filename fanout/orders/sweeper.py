"""Sending again what was not done: the outbox's safety net.

Oldest first, and nothing hides what is behind it: an order that was sent a moment ago, or pauses
after a failure, is passed over; LOOKED_AT bounds how far a sweep looks, and those that fail
for ever leave the outbox within minutes (orders/attempts.py).

**How soon.** An order is sent again SWEEP_AFTER_SECONDS after its birth and then each RESEND_SECONDS,
for as long as nothing but backends fails; a sweep runs each 2 s. Changes of the graph have a queue and
a limit of their own, so that they do not wait behind the tweets of an outage. So a change that
Redis could not take is in force within 10 s of its return, if no more than LOOKED_AT orders
are open before it.

**A long queue.** Then what is open is most likely in it. Only what should have been done LOST_SECONDS
ago is sent again, and once in so many seconds; so what the broker lost is sent in the end.
"""

from collections import defaultdict, deque
from collections.abc import Iterator

import structlog
from django.conf import settings

from fanout.orders import attempts, resending
from fanout.orders.dispatch import enqueue
from fanout.orders.handlers import queue_of
from fanout.orders.queues import QUEUES
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us, make_id, now_us
from storage.ports.outbox import Order
from storage.stores import dead_letters, outbox

PAGE = 2_000
CHUNK = 100
"""Orders that are claimed together."""
SWEEP_LIMIT = 1_000
"""Orders sent again a sweep and queue: bounded work, and the broker is not flooded after an outage."""
TRICKLE = 100
"""The same while the queue is long."""
LOOKED_AT = 20_000
"""Open orders looked at a sweep: a fifth of a second of reading."""
RESEND_SECONDS = 5
"""An order that was sent again is left alone for this long."""

log = structlog.get_logger(__name__)


def sweep() -> int:
    """Sends open orders older than SWEEP_AFTER_SECONDS again, oldest first; returns how many.

    Raises `Unavailable`, for the broker as well. Sending an order that is being worked on is
    harmless, only wasteful. Costs a read each PAGE open orders, and for each CHUNK that is due by its age
    a round trip to the broker and a read of the attempts.
    """
    run = _Sweep(now_us())
    for orders in _open_pages(run.now_us):
        for queue, of_queue in _by_queue(orders).items():
            run.send_due(queue, of_queue)
        if run.exhausted:
            break
    if run.sent:
        log.info("orders_sent_again", count=run.sent)
    return run.sent


def finish() -> int:
    """Finishes writes without an order that their process left in between; returns how many. Raises `Unavailable`."""
    finished = outbox().finish_writes(now_us=now_us())
    if finished:
        log.info("writes_finished", count=finished)
    return finished


def discard() -> int:
    """Forgets the minutes of the outbox that are done; returns how many. Raises `Unavailable`."""
    return outbox().discard_closed(now_us=now_us())


class _Sweep:
    """One sweep: how many orders each queue may still get, and how many were sent."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.sent = 0
        lengths = resending.queue_lengths(QUEUES)
        self._long = {queue for queue, length in lengths.items() if length >= resending.QUEUE_LONG}
        self._left = {queue: TRICKLE if queue in self._long else SWEEP_LIMIT for queue in QUEUES}

    @property
    def exhausted(self) -> bool:
        """Whether no queue may get any more."""
        return all(left <= 0 for left in self._left.values())

    def send_due(self, queue: str, orders: list[Order]) -> None:
        """Sends those of the orders that may be sent now, while their queue may get some. Raises `Unavailable`."""
        if queue in self._long:
            lost_us = self.now_us - resending.LOST_SECONDS * 1_000_000
            orders = [order for order in orders if id_us(order.id) < lost_us]
        for start in range(0, len(orders), CHUNK):
            if self._left[queue] <= 0:
                return
            self._send_chunk(queue, orders[start : start + CHUNK])

    def _send_chunk(self, queue: str, orders: list[Order]) -> None:
        seconds = resending.LOST_SECONDS if queue in self._long else RESEND_SECONDS
        fresh = resending.claim([str(order.id) for order in orders], seconds=seconds)
        claimed = [order for order, is_fresh in zip(orders, fresh, strict=True) if is_fresh]
        unsent = deque(claimed)
        try:
            unsent = deque(_to_be_tried(claimed))
            while unsent:
                enqueue(unsent[0], resent=True)
                unsent.popleft()
                self.sent += 1
                self._left[queue] -= 1
        except Unavailable:
            resending.release([str(each.id) for each in unsent])
            raise


def _open_pages(now: int) -> Iterator[list[Order]]:
    """Open orders older than SWEEP_AFTER_SECONDS, LOOKED_AT at most."""
    before = make_id(now - int(settings.SWEEP_AFTER_SECONDS * 1_000_000), 0)
    after = 0
    for _ in range(LOOKED_AT // PAGE):
        orders = outbox().open_orders(after=after, before=before, limit=PAGE)
        yield orders
        if len(orders) < PAGE:
            return
        after = orders[-1].id


def _by_queue(orders: list[Order]) -> dict[str, list[Order]]:
    queues: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        queues[queue_of(order.kind)].append(order)
    return queues


def _to_be_tried(orders: list[Order]) -> list[Order]:
    """Returns those that do not pause; those that have used up their attempts become dead letters."""
    if not orders:
        return []
    recorded = dead_letters().attempts([order.id for order in orders])
    living = [order for order in orders if not attempts.give_up_if_spent(order, recorded.get(order.id, ()))]
    return [order for order in living if attempts.may_be_tried(recorded.get(order.id, ()))]
