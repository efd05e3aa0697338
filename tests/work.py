"""Being the workers, one step at a time."""

from fanout import delivery
from storage.ids import MAX_ID
from storage.outbox import Order
from storage.stores import outbox


def open_orders() -> list[Order]:
    return outbox().open_orders(before=MAX_ID, limit=1_000)


def work_off_everything() -> int:
    """Works off every open order, as a worker would; how many."""
    orders = open_orders()
    for order in orders:
        delivery.work_off(order)
    return len(orders)
