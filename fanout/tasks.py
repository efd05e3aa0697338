"""The Celery tasks. They take ids and numbers, and every one may run any number of times."""

import structlog
from celery import shared_task

from fanout import delivery, sweeper
from storage.errors import Unavailable
from storage.outbox import Order

log = structlog.get_logger(__name__)


@shared_task(name="fanout.work_order", ignore_result=True)
def work_order(order_id: int, kind: str, args: list[int]) -> None:
    try:
        delivery.work_off(Order(order_id, kind, tuple(args)))
    except Unavailable as error:
        log.warning("order_waits", order=order_id, kind=kind, backend=error.backend)


@shared_task(name="fanout.work_part", ignore_result=True)
def work_part(order_id: int, kind: str, args: list[int], part: int, parts: int, *, after: int = 0) -> None:
    try:
        delivery.work_off_part(Order(order_id, kind, tuple(args)), part, parts, after)
    except Unavailable as error:
        log.warning("part_waits", order=order_id, kind=kind, part=part, backend=error.backend)


@shared_task(name="fanout.sweep", ignore_result=True)
def sweep() -> None:
    try:
        sweeper.sweep()
    except Unavailable as error:
        log.warning("sweep_waits", backend=error.backend)
