"""Orders that their broker did not take: kept by the process that wrote them until it answers again.

The sweeper would send them all the same. But who wrote an order knows that all of it stands, so that a worker need not
see to that: what is sent from here costs the store four statements, and what is found in the outbox nine. So after an
outage this goes first, and a sweeper waits until it has gone (orders/sweeper.py).

Nothing rests on it. At most HELD orders a broker are kept, and none beyond the process: of the others, and of those
that two send, the sweeper and the claims (orders/resending.py) take care, as ever.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from prometheus_client import Gauge

from fanout.orders import resending
from fanout.orders.brokers import broker_of
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import RedisNode

HELD = 10_000
"""Orders a broker: about 2 MB, and seconds of work at its return."""
CHUNK = 100
"""Orders that are claimed together."""
HEAD_START_SECONDS = 2.0
"""So long a sweeper leaves a broker that is back to those who hold orders for it: 1,850 messages a second each."""
LONGEST_START_SECONDS = 6.0
"""And as long as they say that they are at it, but no longer: it may be that others left orders that nobody holds."""

HOLDING = Gauge(
    "dispatch_held", "Orders that processes keep until their broker answers again.", multiprocess_mode="livesum"
)


class HeldOrders:
    """Those of one process, oldest first. For one thread."""

    def __init__(self, pass_on: Callable[[Order], None]) -> None:
        self._pass_on = pass_on
        self._held: dict[RedisNode, deque[Order]] = {}
        self._sent: dict[RedisNode, int] = {}
        """How many were sent since it came back: as far as is known they stand on its queues."""

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def hold(self, order: Order) -> bool:
        """Keeps the order; says whether there was room."""
        held = self._held.setdefault(broker_of(order.id), deque())
        if len(held) >= HELD:
            return False
        held.append(order)
        HOLDING.set(len(self))
        return True

    def pass_on_some(self) -> bool:
        """Sends up to CHUNK orders to each broker that answers, but for those that somebody has sent in the meantime.
        Returns whether there are more, for one that has taken all of these.

        Costs a round trip a broker, and the sending; nothing while its breaker is open. Raises what an order of its own
        fails of, which is not kept then.
        """
        goes_on = False
        for broker in list(self._held):
            try:
                with suppress(Unavailable):
                    self._pass_on_to(broker)
                    goes_on |= bool(self._held[broker])
            finally:
                if not self._held[broker]:
                    del self._held[broker]
                    self._sent.pop(broker, None)
                HOLDING.set(len(self))
        return goes_on

    def _pass_on_to(self, broker: RedisNode) -> None:
        held = self._held[broker]
        chunk = list(islice(held, CHUNK))
        seconds = resending.left_alone_seconds(self._sent.get(broker, 0))
        claimed = resending.claim(broker, [str(order.id) for order in chunk], seconds=seconds, are_held=True)
        for place, (order, is_ours) in enumerate(zip(chunk, claimed, strict=True)):
            held.popleft()
            try:
                if is_ours:
                    self._pass_on(order)
            except Unavailable:
                held.appendleft(order)
                ours = zip(chunk[place:], claimed[place:], strict=True)
                resending.release(broker, [str(each.id) for each, is_ours in ours if is_ours])
                raise
        self._sent[broker] = self._sent.get(broker, 0) + sum(claimed)
