"""The broker and the workers, with every freedom that they have: messages wait, overtake, repeat and get lost."""

from contextlib import ExitStack
from unittest.mock import patch

from fanout import delivery, sweeper
from fanout.dispatch import dispatcher
from fanout.tasks import work_order, work_part
from storage.outbox import Order
from storage.stores import outbox
from tests.property.oracle import Oracle

Message = tuple[Order, tuple[int, int] | None]
"""An order, or a part of it and how many there are."""
REMEMBERED = 30
"""Messages that were worked off already and may come again."""


class Broker:
    """Takes what the product sends instead of the broker, and tells the oracle which orders are done."""

    def __init__(self, oracle: Oracle, hooks: ExitStack) -> None:
        self.waiting: list[Message] = []
        self.worked: list[Message] = []
        self._oracle = oracle
        hooks.enter_context(patch.object(dispatcher, "send", self._take))
        hooks.enter_context(patch.object(sweeper, "enqueue", self._take))
        hooks.enter_context(patch.object(delivery, "enqueue_part", self._take_part))
        self._mark_done = outbox().mark_done
        hooks.enter_context(patch.object(outbox(), "mark_done", self._noting_done))

    def work(self, message: Message) -> None:
        """Does what a worker does with a message."""
        order, part = message
        self.worked = [*self.worked, message][-REMEMBERED:]
        if part is None:
            work_order(order.id, order.kind, list(order.args))
        else:
            work_part(order.id, order.kind, list(order.args), *part)

    def work_off_orders(self, *, after: int, before: int) -> int:
        """Every order of these ids that is open, and its parts, as if the sweeper had found it; how many."""
        orders = outbox().open_orders(after=after, before=before, limit=10_000)
        for order in orders:
            self.work((order, None))
            for message in [each for each in self.waiting if each[0].id == order.id and each[1] is not None]:
                self.waiting.remove(message)
                self.work(message)
        return len(orders)

    def _take(self, order: Order) -> None:
        self.waiting.append((order, None))

    def _take_part(self, order: Order, part: int, parts: int) -> None:
        self.waiting.append((order, (part, parts)))

    def _noting_done(self, order_id: int) -> None:
        self._mark_done(order_id)
        self._oracle.delivered.add(order_id)
