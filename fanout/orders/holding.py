"""Orders that their broker did not take: kept by the process that wrote them until it answers again.

The sweeper would send them all the same. But who wrote an order knows that all of it stands, so that a worker need not
see to that: what is sent from here costs the store four statements, and what is found in the outbox nine. So after an
outage this goes first, and a sweeper waits until it has gone (orders/sweeper.py). Nor does each need a message of its
own: of a small author's order a worker spends half its time on the message. So BUNCH go in one, of kinds that a worker
need not look up before (`handlers.come_announced`), and are attempted one after another.

Nothing rests on it. At most HELD orders a queue are kept, and none beyond the process: of the others, and of those
that two send, the sweeper and the claims (orders/resending.py) take care, as ever.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice, takewhile

from prometheus_client import Gauge

from fanout.orders import resending
from fanout.orders.brokers import broker_of
from fanout.orders.handlers import come_announced, goes_together, queue_of
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import RedisNode

HELD = 10_000
"""Orders a queue of a broker: about 2 MB, and seconds of work at its return."""
CHUNK = 100
"""Orders that are claimed together."""
BUNCH = 10
"""Orders of one message: what is behind them waits for 10 or 20 ms, and where each has a whole page of followers for
half a second, but as long as without it."""
HEAD_START_SECONDS = 2.0
"""So long a sweeper leaves a broker that is back to those who hold orders for it: 1,850 messages a second each."""
LONGEST_START_SECONDS = 6.0
"""And as long as they say that they are at it, but no longer: it may be that others left orders that nobody holds."""

HOLDING = Gauge(
    "dispatch_held", "Orders that processes keep until their broker answers again.", multiprocess_mode="livesum"
)


Place = tuple[RedisNode, str]
"""A broker, and one of its queues: no tweet finds its place taken by likes."""
PassOn = Callable[[Sequence[Order]], None]
"""Sends orders of one kind and broker in one message. Raises `Unavailable` if it was not taken."""


class HeldOrders:
    """Those of one process, oldest first. For one thread."""

    def __init__(
        self,
        pass_on: Callable[[Order], None],
        pass_on_together: PassOn | None = None,
        pass_on_bunch: PassOn | None = None,
    ) -> None:
        self._pass_on = pass_on
        self._pass_on_together = pass_on_together
        self._pass_on_bunch = pass_on_bunch
        self._held: dict[Place, deque[Order]] = {}
        self._sent: dict[Place, int] = {}
        """How many were sent since it came back: as far as is known they stand on the queue."""

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def hold(self, order: Order) -> bool:
        """Keeps the order; says whether there was room."""
        held = self._held.setdefault((broker_of(order.id), queue_of(order.kind)), deque())
        if len(held) >= HELD:
            return False
        held.append(order)
        HOLDING.set(len(self))
        return True

    def pass_on_some(self) -> bool:
        """Sends up to CHUNK orders to each queue of each broker that answers, but for those that somebody has sent in
        the meantime. Returns whether there are more, for one that has taken all of these.

        Costs a round trip a queue, and the sending; nothing while its breaker is open. Raises what an order of its own
        fails of, which is not kept then.
        """
        goes_on = False
        for place in list(self._held):
            try:
                with suppress(Unavailable):
                    self._pass_on_to(place)
                    goes_on |= bool(self._held[place])
            finally:
                if not self._held[place]:
                    del self._held[place]
                    self._sent.pop(place, None)
                HOLDING.set(len(self))
        return goes_on

    def _pass_on_to(self, place: Place) -> None:
        broker, held = place[0], self._held[place]
        chunk = list(islice(held, CHUNK))
        seconds = resending.left_alone_seconds(self._sent.get(place, 0))
        claimed = resending.claim(broker, [str(order.id) for order in chunk], seconds=seconds, are_held=True)
        ours = deque(order for order, is_ours in zip(chunk, claimed, strict=True) if is_ours)
        for _ in chunk:
            held.popleft()
        try:
            while ours:
                self._send_some(ours)
        except BaseException:
            resending.release(broker, [str(each.id) for each in ours])
            held.extendleft(reversed(ours))
            raise
        self._sent[place] = self._sent.get(place, 0) + sum(claimed)

    def _send_some(self, ours: deque[Order]) -> None:
        """The first of them, or several that go in one message; takes out those that were sent, or never can be."""
        several = self._several(ours)
        for _ in several:
            ours.popleft()
        try:
            self._send(several)
        except Unavailable:
            ours.extendleft(reversed(several))
            raise

    def _several(self, ours: deque[Order]) -> list[Order]:
        """Those at the front that go in one message."""
        kind = ours[0].kind
        if self._pass_on_together is not None and goes_together(kind):
            return list(takewhile(lambda order: order.kind == kind, ours))
        most = BUNCH if self._pass_on_bunch is not None and come_announced(kind) else 1
        return list(takewhile(lambda order: order.kind == kind, islice(ours, most)))

    def _send(self, several: list[Order]) -> None:
        if self._pass_on_together is not None and goes_together(several[0].kind):
            self._pass_on_together(several)
        elif self._pass_on_bunch is not None and len(several) > 1:
            self._pass_on_bunch(several)
        else:
            self._pass_on(several[0])
