"""Being the workers, one step at a time."""

from contextlib import suppress
from unittest.mock import patch

from accounts.graph.notifications import NOTIFY_ORDER
from fanout.delivery import fan_out
from fanout.live import watermark as watermark_module
from fanout.live.watermark import TOLD_KEY, watermark
from fanout.orders import handlers
from fanout.orders.kinds import OrderClosed
from fanout.timelines.settled import tell_settled
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import outbox


def open_orders() -> list[Order]:
    """Without those that notify, of which each follow and like leaves one: timelines wait for none."""
    return [order for order in every_open_order() if order.kind != NOTIFY_ORDER]


def every_open_order() -> list[Order]:
    return outbox().open_orders(before=MAX_ID, limit=1_000)


def work_off_everything() -> int:
    """Works off every open order, as workers would; how many."""
    orders = every_open_order()
    for order in orders:
        work_off_wholly(order)
    return len(orders)


def work_off_wholly(order: Order) -> int:
    """Works off the order and the parts that it is handed out in, one after the other; how many tasks it took.

    One that is closed is no failure, as to `attempt`.
    """
    tasks: list[tuple[Order, int, int, int]] = []

    def enqueue_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> None:
        tasks.append((order, part, parts, after))

    with patch.object(fan_out, "enqueue_part", enqueue_part):
        with suppress(OrderClosed):
            handlers.work_off(order)
        for each, part, parts, after in tasks:
            if fan_out.work_off_part(each, part, parts, after=after):
                fan_out.let_part_be_sent(each.id, part)
    return 1 + len(tasks)


def say_what_has_settled() -> None:
    """As each sweep does, but for live processes: timelines know up to where every order is done. Raises
    `Unavailable`."""
    tell_settled(watermark_module.measured_watermark())


def forget_watermark() -> None:
    """Has this process measure it anew: nobody has told one."""
    with suppress(Unavailable):
        timeline_node().round_trip(("DEL", TOLD_KEY))
    watermark.forget()
