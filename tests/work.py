"""Being the workers, one step at a time."""

from unittest.mock import patch

from fanout import delivery
from storage.ids import MAX_ID
from storage.outbox import Order
from storage.stores import outbox


def open_orders() -> list[Order]:
    return outbox().open_orders(before=MAX_ID, limit=1_000)


def work_off_everything() -> int:
    """Works off every open order, as workers would; how many."""
    orders = open_orders()
    for order in orders:
        work_off_wholly(order)
    return len(orders)


def work_off_wholly(order: Order) -> int:
    """Works off the order and the parts that it is handed out in, one after the other; how many tasks it took."""
    tasks: list[tuple[Order, int, int, int]] = []

    def enqueue_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> None:
        tasks.append((order, part, parts, after))

    with patch.object(delivery, "enqueue_part", enqueue_part):
        delivery.work_off(order)
        for each, part, parts, after in tasks:
            if delivery.work_off_part(each, part, parts, after=after):
                delivery.let_part_be_sent(each.id, part)
    return 1 + len(tasks)
