"""Attempts at orders: making them as a worker does, what becomes of the work, and what is on record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from fanout import tasks
from fanout.orders import handlers
from storage.ports.dead_letters import Attempt
from storage.ports.outbox import Order
from storage.stores import dead_letters, outbox
from tests.ids import new_id


def run(order: Order, *, resent: bool = True) -> None:
    """As a worker does that got the order's message: that of the sweeper, or of who wrote it."""
    if resent:
        tasks.work_order(order.id, order.kind, resent=True)
    else:
        tasks.work_order(order.id, order.kind, args=order.args)


def planted(kind: str = "no such kind", args: tuple[int, ...] = ()) -> Order:
    order = Order(new_id(), kind, args)
    outbox().add(order)
    return order


def attempts_at(order: Order) -> list[Attempt]:
    return dead_letters().attempts([order.id]).get(order.id, [])


@contextmanager
def working(work: Callable[[Order], None]) -> Iterator[None]:
    def instead(order: Order, *, resent: bool, found: bool = False) -> None:
        work(order)

    with patch.object(handlers, "work_off", instead):
        yield


def failing(error: BaseException) -> Callable[[Order], None]:
    def fail(order: Order) -> None:
        raise error

    return fail
