"""Sending again what was not done: the outbox's safety net.

Oldest first, and nothing hides what is behind it: an order that was sent a moment ago, or pauses
after a failure, is passed over; LOOKED_AT bounds how far a sweep looks, and those that fail
for ever leave the outbox within minutes (orders/attempts.py).

**How soon.** An order is sent again SWEEP_AFTER_SECONDS after its birth and then each RESEND_SECONDS,
for as long as nothing but backends fails, but not before the workers can have come to it: what is put behind others
waits for these to be worked off as well, until it has had its turn and a backend did not answer (`let_be_sent`). A
sweep runs each 2 s. Changes of the graph have a queue and
a limit of their own, so that they do not wait behind the tweets of an outage. So a change that
Redis could not take is in force within 10 s of its return, if no more than LOOKED_AT orders
are open before it.

**How many.** As many as the workers get through: a queue is filled up to what they work off in AHEAD_SECONDS,
and never by less than SWEEP_LIMIT. So after an outage each sweep sends more than the one before, until the workers are
busy all the time, however many they are.

**A long queue.** It holds more than that, and QUEUE_LONG. Then what is open is most likely in it. Only what should have
been done LOST_SECONDS ago is sent again, and once in so many seconds; so what the broker lost is sent in the end.

**Side by side.** A sweep is of some shards of the outbox (orders/sweepers.py), and its limits are its share.
"""

import math
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterator, Mapping

import structlog
from django.conf import settings

from fanout.orders import attempts, figures, resending
from fanout.orders.brokers import broker_of, brokers
from fanout.orders.dispatch import enqueue
from fanout.orders.handlers import queue_of
from fanout.orders.holding import HEAD_START_SECONDS, LONGEST_START_SECONDS
from fanout.orders.queues import FANOUT, NOTICES, QUEUES
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, id_us, make_id, now_us
from storage.ports.outbox import ALL_SHARDS, Order
from storage.ports.places import SEARCH, SEARCH_OFF
from storage.redis.node import RedisNode
from storage.stores import dead_letters, outbox, places

PAGE = 2_000
CHUNK = 100
"""Orders that are claimed together."""
SWEEP_LIMIT = 1_000
"""Orders that all sweeps together may put on a queue at a time, whatever is known of the workers."""
AHEAD_SECONDS = 3.0
"""Workers are given so much to do: more than passes between two sweeps, less than RESEND_SECONDS."""
TRICKLE = 100
"""The same while the queue is long."""
LOOKED_AT = 20_000
"""Open orders looked at a sweep: a fifth of a second of reading."""
REMEMBERED = 200_000
"""Orders: more than are on their way at a time, 20 MB."""
SWEEP_SECONDS = 2.0
"""Then a sweep sends no more, and the next one goes on: who sweeps says in between that they are there."""

log = structlog.get_logger(__name__)


WRITTEN = frozenset({FANOUT, NOTICES})
"""Queues of which who writes an order sends it, and holds it; those of GRAPH are the sweeper's to send."""


class Memory:
    """Which orders a process has sent lately. Of what it sends for the first time no books need be kept."""

    def __init__(self) -> None:
        self._sent: OrderedDict[int, None] = OrderedDict()

    def has(self, order_id: int) -> bool:
        """Says whether the order was sent before, and remembers that it is sent now."""
        known = order_id in self._sent
        self._sent[order_id] = None
        self._sent.move_to_end(order_id)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        return known


class Look:
    """What a process remembers of brokers that do not take its orders: how far it has looked meanwhile, as these must
    not hide what is behind them, and since when they are back."""

    def __init__(self) -> None:
        self.after = 0
        """The next sweep looks at what is younger, and then at the oldest; 0 while all brokers answer."""
        self._back_at: dict[str, float | None] = {}
        """Of brokers that did not answer: None while they do not, and then since when they do."""

    def lost(self, broker: str) -> None:
        """Hears that a broker does not answer."""
        self._back_at[broker] = None

    def leaves_alone(self, broker: RedisNode) -> bool:
        """Hears that a broker answers; says whether it came back so lately that those who hold orders for it, which
        are cheaper, go first (orders/holding.py). A round trip while they do. Raises `Unavailable`."""
        if broker.name not in self._back_at:
            return False
        now = time.monotonic()
        back_at = self._back_at[broker.name] = self._back_at[broker.name] or now
        if now - back_at < HEAD_START_SECONDS:
            return True
        if now - back_at < LONGEST_START_SECONDS and resending.are_held(broker):
            return True
        del self._back_at[broker.name]
        return False


def sweep(
    shards: Collection[int] = ALL_SHARDS, *, share: float = 1.0, memory: Memory | None = None, look: Look | None = None
) -> int:
    """Sends open orders of these shards older than SWEEP_AFTER_SECONDS again, oldest first; returns how many.

    Raises `Unavailable`, for a broker once what belongs to others was sent. Sending an order that is being worked on
    is harmless, only wasteful. Costs a read each PAGE open orders, and for each CHUNK that is due by its age
    a round trip to the broker and a read of the attempts.

    `share` is that of all that may be sent at a time. With a `memory`, what it does not have counts as sent for the
    first time; whoever works orders off has none: an order that kills its process would kill what remembers it.
    With a `look`, a sweep goes on from where the one before ended, if that one met a broker that did not answer, and
    leaves one alone that has just come back.
    """
    look = look or Look()
    run = _Sweep(now_us(), look, share=share, memory=memory)
    for orders in _open_pages(run.now_us, shards, look):
        for (broker, queue), of_queue in _by_queue(orders).items():
            run.send_due(broker, queue, of_queue)
        if run.exhausted:
            break
    if run.sent:
        log.info("orders_sent_again", count=run.sent)
    if run.fault is not None:
        raise run.fault
    look.after = 0
    return run.sent


def let_be_sent(*order_ids: int) -> None:
    """Has orders that a backend kept waiting be sent again RESEND_SECONDS from now, however long they had been left
    alone for the sake of those before them on their queue. They have one broker, and it costs a round trip to it.
    Raises nothing."""
    resending.shorten(broker_of(order_ids[0]), [str(each) for each in order_ids], seconds=resending.RESEND_SECONDS)


def finish() -> int:
    """Finishes writes without an order that their process left in between; returns how many. Raises `Unavailable`."""
    finished = outbox().finish_writes(now_us=now_us())
    if finished:
        log.info("writes_finished", count=finished)
    return finished


def discard() -> int:
    """Forgets the minutes of the outbox that are done; returns how many. Raises `Unavailable`.

    What the search's indexer has not read waits for it, where there is one, though it have never run.
    """
    read_up_to = places().place(SEARCH) if settings.SEARCH_URL != SEARCH_OFF else MAX_ID
    return outbox().discard_closed(now_us=now_us(), read_up_to=read_up_to)


class _Sweep:
    """One sweep: how many orders each queue of each broker may still get, and how many were sent."""

    def __init__(self, now_us: int, look: Look, *, share: float, memory: Memory | None = None) -> None:
        self.now_us = now_us
        self._look = look
        self._memory = memory
        self.sent = 0
        self.fault: Unavailable | None = None
        """A broker that did not answer: what belongs to others was sent."""
        self._until = time.monotonic() + SWEEP_SECONDS
        self._left: dict[tuple[RedisNode, str], int] = {}
        self._before: dict[tuple[RedisNode, str], float] = {}
        """How many orders stand on the queue already."""
        self._rates: dict[tuple[RedisNode, str], float] = {}
        """So many are worked off it a second."""
        self._long: set[tuple[RedisNode, str]] = set()
        rates = figures.worked_a_second(QUEUES)
        for broker in brokers():
            self._begin(broker, rates, share)

    def _begin(self, broker: RedisNode, rates: Mapping[str, float], share: float) -> None:
        try:
            lengths = resending.queue_lengths(broker, QUEUES)
            is_left_alone = self._look.leaves_alone(broker)
        except Unavailable as error:
            self.fault = error
            self._look.lost(broker.name)
            return
        for queue, length in lengths.items():
            if is_left_alone and queue in WRITTEN:
                continue
            self._before[broker, queue] = length
            self._rates[broker, queue] = rates[queue] / len(brokers())
            ahead = rates[queue] * AHEAD_SECONDS / len(brokers())
            is_long = length >= max(resending.QUEUE_LONG, ahead)
            if is_long:
                self._long.add((broker, queue))
            self._left[broker, queue] = math.ceil(share * (TRICKLE if is_long else max(SWEEP_LIMIT, ahead - length)))

    @property
    def exhausted(self) -> bool:
        """Whether no queue may get any more, or the time is over."""
        return all(left <= 0 for left in self._left.values()) or time.monotonic() > self._until

    def send_due(self, broker: RedisNode, queue: str, orders: list[Order]) -> None:
        """Sends those of the orders that may be sent now, while their queue may get some. Raises `Unavailable`."""
        if (broker, queue) in self._long:
            lost_us = self.now_us - resending.LOST_SECONDS * 1_000_000
            orders = [order for order in orders if id_us(order.id) < lost_us]
        start = 0
        while start < len(orders) and (left := self._left.get((broker, queue), 0)) > 0 and not self.exhausted:
            chunk = orders[start : start + min(CHUNK, left)]
            self._send_chunk(broker, queue, chunk)
            start += len(chunk)

    def _send_chunk(self, broker: RedisNode, queue: str, orders: list[Order]) -> None:
        seconds = self._left_alone_seconds(broker, queue)
        names = [str(order.id) for order in orders]
        try:
            fresh = resending.claim(broker, names, seconds=seconds)
        except Unavailable as error:
            self._give_up(broker, error)
            return
        unsent = deque(order for order, is_fresh in zip(orders, fresh, strict=True) if is_fresh)
        try:
            unsent = deque(_to_be_tried(list(unsent)))
            while unsent:
                known = self._memory is None or self._memory.has(unsent[0].id)
                enqueue(unsent[0], resent=known, found=not known)
                unsent.popleft()
                self.sent += 1
                self._left[broker, queue] -= 1
                self._before[broker, queue] += 1
        except Unavailable as error:
            resending.release(broker, [str(each.id) for each in unsent])
            if error.backend != broker.name:
                raise
            self._give_up(broker, error)

    def _left_alone_seconds(self, broker: RedisNode, queue: str) -> int:
        """For how long what is sent now is not sent again."""
        if (broker, queue) in self._long:
            return resending.LOST_SECONDS
        return resending.left_alone_seconds(self._before[broker, queue], rate=self._rates[broker, queue])

    def _give_up(self, broker: RedisNode, fault: Unavailable) -> None:
        """Sends nothing more to this broker."""
        self.fault = fault
        for place in self._left:
            if place[0] is broker:
                self._left[place] = 0


def _open_pages(now: int, shards: Collection[int], look: Look) -> Iterator[list[Order]]:
    """Open orders older than SWEEP_AFTER_SECONDS, LOOKED_AT at most. Leaves in `look` where the next sweep goes on.

    For example, looking on after 70: those from 71 to the youngest, and then those up to 70.
    """
    start = look.after
    before = make_id(now - int(settings.SWEEP_AFTER_SECONDS * 1_000_000), 0)
    for _ in range(LOOKED_AT // PAGE):
        orders = outbox().open_orders(after=look.after, before=before, limit=PAGE, shards=shards, may_miss_late=True)
        yield orders
        if len(orders) == PAGE:
            look.after = orders[-1].id
        else:
            look.after = 0
            if not start:
                return
            start, before = 0, start + 1


def _by_queue(orders: list[Order]) -> dict[tuple[RedisNode, str], list[Order]]:
    queues: dict[tuple[RedisNode, str], list[Order]] = defaultdict(list)
    for order in orders:
        queues[broker_of(order.id), queue_of(order.kind)].append(order)
    return queues


def _to_be_tried(orders: list[Order]) -> list[Order]:
    """Returns those that do not pause; those that have used up their attempts become dead letters."""
    if not orders:
        return []
    recorded = dead_letters().attempts([order.id for order in orders])
    living = [order for order in orders if not attempts.give_up_if_spent(order, recorded.get(order.id, ()))]
    return [order for order in living if attempts.may_be_tried(recorded.get(order.id, ()))]
