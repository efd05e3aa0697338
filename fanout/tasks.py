"""The Celery tasks. They take ids and numbers, and every one may run any number of times.

A message names an order, which is read from the store, where it may have been closed. What the message says of it
besides, for a first attempt, only has its author looked up meanwhile.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import structlog
from celery import Task, shared_task

from fanout.delivery import fan_out
from fanout.live.watermark import tell_watermark
from fanout.orders import figures, handlers, sweeper, sweepers
from fanout.orders.attempts import attempt
from fanout.timelines.settled import tell_settled
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.spans import Attributes, Kind
from storage.tracing import begins, order_work, record_order

ONE_BY_ONE_SECONDS = 10.0
"""Less than the broker waits before it hands a message out again."""

log = structlog.get_logger(__name__)
_look = sweeper.Look()


def _order(_task: object, order_id: int, *_args: object, **_kwargs: object) -> int:
    return order_id


def _described(task: "Task[..., None]", _order_id: int, kind: str, *part: int, **how: int) -> Attributes:
    of_part = {"feed.order.part": part[0]} if part else {}
    return {"feed.order.kind": kind, **of_part, "resent": bool(how.get("resent")), "redelivered": _redelivered(task)}


@shared_task(name="fanout.work_order", ignore_result=True, bind=True)
@order_work("order.work", _order, Kind.CONSUMER, _described)
def work_order(
    self: "Task[..., None]",
    order_id: int,
    kind: str,
    *,
    args: Sequence[int] | None = None,
    resent: bool = False,
    found: bool = False,
) -> None:
    """Works an open order off; a backend that does not answer leaves it to the sweeper.

    `args`: the order's, in the message of who wrote it.
    """
    figures.count_worked(handlers.queue_of(kind))
    _attempt(order_id, kind, args=args, resent=resent, is_redelivered=_redelivered(self), is_found=found)


@shared_task(name="fanout.work_orders", ignore_result=True, bind=True)
@begins("orders.work", Kind.CONSUMER, lambda _task, _id, kind, **_how: {"feed.order.kind": kind})
def work_orders(self: "Task[..., None]", _first: int, kind: str, *, orders: Sequence[Sequence[int]]) -> None:
    """Works off orders of one kind that their writer announced in one message: at once, where they go together
    (orders/gathering.py), and else one after another, as they waited for their broker (orders/holding.py).

    When one of them is at fault, and when the broker hands them out again, as a worker may have died of one, each is
    attempted by itself; that goes on for ONE_BY_ONE_SECONDS. What is left, and what a backend keeps waiting, the
    sweeper sends.
    """
    figures.count_worked(handlers.queue_of(kind))
    announced = [Order(order_id, kind, tuple(args)) for order_id, *args in orders]
    is_redelivered = _redelivered(self)
    if handlers.goes_together(kind) and not is_redelivered and _are_done_together(kind, announced):
        return
    ends = time.monotonic() + ONE_BY_ONE_SECONDS
    for number, order in enumerate(announced):
        if time.monotonic() > ends:
            sweeper.let_be_sent(*(each.id for each in announced[number:]))
            return
        _attempt_one_of_many(order, is_redelivered)


def _are_done_together(kind: str, orders: Sequence[Order]) -> bool:
    """False when one of them is at fault. Those that a backend keeps waiting are left to the sweeper."""
    outcome, failure, began_ns = figures.DONE, None, time.time_ns()
    try:
        handlers.work_off_together(kind, orders)
    except Unavailable as error:
        outcome, failure = figures.WAITS, type(error).__name__
        log.warning("orders_wait", order_id=orders[0].id, kind=kind, count=len(orders), backend=error.backend)
        sweeper.let_be_sent(*(order.id for order in orders))
    except Exception as error:
        log.warning("orders_failed", order_id=orders[0].id, kind=kind, count=len(orders), error=type(error).__name__)
        return False
    for order in orders:
        figures.count_attempt(handlers.known_kind(kind), outcome)
        described = {"feed.order.kind": kind}
        record_order(order.id, "order.work", Kind.CONSUMER, described, began_ns=began_ns, failure=failure)
    return True


def _of(order: Order, *_how: object) -> int:
    return order.id


@order_work("order.work", _of, Kind.CONSUMER, lambda order, _redelivered: {"feed.order.kind": order.kind})
def _attempt_one_of_many(order: Order, is_redelivered: bool) -> None:
    _attempt(order.id, order.kind, args=order.args, is_redelivered=is_redelivered)


def _attempt(
    order_id: int,
    kind: str,
    *,
    args: Sequence[int] | None = None,
    resent: bool = False,
    is_redelivered: bool = False,
    is_found: bool = False,
) -> None:
    is_resent = resent or is_redelivered
    try:
        work = partial(handlers.work_off, resent=resent)
        announced = handlers.announced(order_id, kind, args)
        outcome = attempt(order_id, work, is_resent=is_resent, is_found=is_found, announced=announced)
    except Unavailable as error:
        outcome = figures.WAITS
        log.warning("order_waits", order_id=order_id, kind=kind, backend=error.backend)
        sweeper.let_be_sent(order_id)
    figures.count_attempt(handlers.known_kind(kind), outcome)


@shared_task(name="fanout.work_part", ignore_result=True, bind=True)
@order_work("order.work_part", _order, Kind.CONSUMER, _described)
def work_part(
    self: "Task[..., None]",
    order_id: int,
    kind: str,
    part: int,
    parts: int,
    *,
    after: int = 0,
    resent: bool = False,
) -> None:
    """Works one part of a large order off, from the follower above `after` on."""
    goes_on = False

    def work(order: Order) -> None:
        nonlocal goes_on
        goes_on = not fan_out.work_off_part(order, part, parts, after=after, resent=resent)

    try:
        outcome = attempt(order_id, work, part=part, is_resent=resent or _redelivered(self))
        figures.count_attempt(handlers.known_kind(kind), outcome)
    except Unavailable as error:
        figures.count_attempt(handlers.known_kind(kind), figures.WAITS)
        log.warning("part_waits", order_id=order_id, kind=kind, part=part, backend=error.backend)
    finally:
        if not goes_on:
            fan_out.let_part_be_sent(order_id, part)


@shared_task(name="fanout.sweep", ignore_result=True)
@begins("task fanout.sweep", Kind.CONSUMER)
def sweep() -> None:
    """Says up to where no order is open, and sends open ones again (orders/sweeper.py) where no sweeper does."""
    try:
        _say_what_has_settled()
        if not sweepers.anybody_sweeps():
            sweeper.sweep(look=_look)
    except Unavailable as error:
        log.warning("sweep_waits", backend=error.backend)


@shared_task(name="fanout.discard", ignore_result=True)
@begins("task fanout.discard", Kind.CONSUMER)
def discard() -> None:
    """Finishes writes that were left in between, and forgets the minutes of the outbox that are done.

    Neither waits for the other to succeed: discarding looks for itself at what is done.
    """
    for step in (sweeper.finish, sweeper.discard):
        try:
            step()
        except Unavailable as error:
            log.warning("discard_waits", backend=error.backend)


def _say_what_has_settled() -> None:
    """Has whoever listens, and whoever polls a timeline, go by the watermark of now; by the last one while Redis does
    not answer."""
    with suppress(Unavailable):
        tell_settled(tell_watermark())


def _redelivered(task: "Task[..., None]") -> bool:
    """Whether the broker hands the task out again, because a worker that had it is gone."""
    return bool((task.request.delivery_info or {}).get("redelivered"))
