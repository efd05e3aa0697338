"""The broker and the workers, with every freedom that they have: messages wait, overtake, repeat and get lost."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple
from unittest.mock import patch

from accounts.graph.notifications import NOTIFY_ORDER
from fanout.delivery import fan_out
from fanout.orders import attempts, resending, sweeper
from fanout.orders.dispatch import dispatcher
from fanout.tasks import work_order, work_orders, work_part
from storage.ports.dead_letters import Attempt
from storage.ports.outbox import Order
from storage.redis.node import RedisNode
from storage.stores import outbox
from tests.property.oracle import Oracle


class Part(NamedTuple):
    """A part of an order, how many there are, and the follower above whom it begins."""

    part: int
    parts: int
    after: int


Message = tuple[Order, Part | None]
"""An order, or a part of it."""
REMEMBERED = 30
"""Messages that were worked off already and may come again."""


class Broker:
    """Takes what the product sends instead of the broker, and tells the oracle which orders are done."""

    def __init__(self, oracle: Oracle, hooks: ExitStack) -> None:
        self.waiting: list[Message] = []
        self._notifying: list[Order] = []
        """Orders that no timeline waits for; done with the next message, so that interleavings are of timelines."""
        self.worked: list[Message] = []
        self._oracle = oracle
        hooks.enter_context(patch.object(dispatcher, "send", self._take))
        hooks.enter_context(patch.object(sweeper, "enqueue", self._take))
        hooks.enter_context(patch.object(fan_out, "enqueue_part", self._take_part))
        hooks.enter_context(patch.object(resending, "claim", _claims_all))
        hooks.enter_context(patch.object(attempts, "_fail", _fails))
        for name in ("mark_done", "mark_done_soon"):
            noting = partial(self._noting_done, getattr(outbox(), name))
            hooks.enter_context(patch.object(outbox(), name, noting))

    def work(self, message: Message) -> None:
        """Does what a worker does with a message."""
        if together := self._notifying:
            self._notifying = []
            work_orders(together[0].id, NOTIFY_ORDER, orders=[(each.id, *each.args) for each in together])
        order, part = message
        is_announced = message not in self.worked
        self.worked = [*self.worked, message][-REMEMBERED:]
        if part is None:
            work_order(order.id, order.kind, args=order.args if is_announced else None)
        else:
            work_part(order.id, order.kind, part.part, part.parts, after=part.after)

    def work_off_orders(self, *, after: int, before: int) -> int:
        """Every order of these ids that is open, and its parts, as if the sweeper had found it; how many."""
        orders = outbox().open_orders(after=after, before=before, limit=10_000)
        for order in orders:
            self.work((order, None))
            while parts := [each for each in self.waiting if each[0].id == order.id and each[1] is not None]:
                self.waiting.remove(parts[0])
                self.work(parts[0])
        return len(orders)

    def _take(self, order: Order, *, resent: bool = False, found: bool = False) -> None:
        if order.kind == NOTIFY_ORDER:
            self._notifying.append(order)
        else:
            self.waiting.append((order, None))

    def _take_part(self, order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> None:
        self.waiting.append((order, Part(part, parts, after)))

    def _noting_done(self, mark: Callable[[int], None], order_id: int) -> None:
        mark(order_id)
        self._oracle.delivered.add(order_id)


def _claims_all(_broker: RedisNode, names: Sequence[str], *, seconds: int) -> list[bool]:
    """Nothing counts as sent a moment ago: messages here get lost, and time does not pass."""
    return [True] * len(names)


def _fails(order: Order, part: int, record: Attempt | None, error: Exception) -> None:
    """An order that is at fault itself fails the interleaving instead of being tried again."""
    raise error
