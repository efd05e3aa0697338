"""Handing an order to the workers without making the caller wait.

`send` puts the order into a bounded queue in memory and returns; a thread of this process
passes it on to the broker, of some kinds many at a time (orders/gathering.py). What the broker
does not take it keeps, and sends at its return (orders/holding.py). Whatever is lost on that way
(the queue is full, the process is killed) is still open in the outbox, and the sweeper sends it
again: this is only the fast path.
"""

import atexit
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import structlog
from celery import current_app
from kombu.exceptions import LimitExceeded, OperationalError
from prometheus_client import Gauge
from redis.exceptions import RedisError

from fanout.orders import resending
from fanout.orders.brokers import broker_of
from fanout.orders.gathering import Gathering
from fanout.orders.handlers import goes_together, queue_of
from fanout.orders.holding import HeldOrders, PassOn
from fanout.orders.producers import producers
from fanout.orders.queues import BULK
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.process import start_anew_after_fork
from storage.spans import Attributes, Kind
from storage.tracing import adopts, order_work, record_order

QUEUE_SIZE = 10_000
"""About 2 MB; at 1,850 messages a second it holds five seconds of posts."""
PLAIN: dict[str, Any] = {"argsrepr": "", "kwargsrepr": "", "declare": ()}
"""A message without its arguments in words, which are for tools that watch Celery; and without the queue
being declared before each, as a list in Redis needs none. Together a third of what a message costs
its sender (460 µs of CPU; 300 like this, and 100 less by a client that is kept, config/celery.py)."""
LOOK_SECONDS = 0.2
"""How often it looks whether a broker is back for which orders are kept. Costs nothing while its breaker is open."""
DRAIN_SECONDS = 1.0
"""How long a process that ends waits for its queue to empty."""

WAITING = Gauge(
    "dispatch_queue_length",
    "Orders that processes have not passed on to the broker yet.",
    multiprocess_mode="livesum",
)

log = structlog.get_logger(__name__)


def _id(order: Order, *_part: int, **_how: int) -> int:
    return order.id


def _described(order: Order, *part: int, **how: int) -> Attributes:
    of_part = {"feed.order.part": part[0]} if part else {}
    return {"feed.order.kind": order.kind, **of_part, "resent": bool(how.get("resent"))}


@order_work("order.send", _id, Kind.PRODUCER, _described)
def enqueue(order: Order, *, resent: bool = False, found: bool = False) -> None:
    """Puts the order on its kind's queue, within the transport's timeouts. Raises `Unavailable`.

    `found`: it is sent for the first time as far as is known, but by the sweeper: its writer may have left some of what
    belongs to it unwritten, which the worker is to see to. So it is to what was sent again.
    """
    how: dict[str, Any] = {"resent": resent}
    if found:
        how["found"] = True
    elif not resent:
        how["args"] = order.args
    _send("fanout.work_order", (order.id, order.kind), queue_of(order.kind), **how)


def enqueue_together(orders: Sequence[Order]) -> None:
    """Puts orders of one kind and broker on their queue in one message, and claims them: a queue's length says nothing
    of how many orders wait in it, by which the sweeper goes with others. Two round trips to the broker more. Raises
    `Unavailable`.
    """
    first = orders[0]
    if len(orders) == 1:
        enqueue(first)
        return
    broker, queue = broker_of(first.id), queue_of(first.kind)
    names = [str(order.id) for order in orders]
    announced = [(order.id, *order.args) for order in orders]
    began_ns = time.time_ns()
    seconds = resending.together_seconds(resending.queue_lengths(broker, [queue])[queue])
    resending.claim(broker, names, seconds=seconds)
    try:
        _send("fanout.work_orders", (first.id, first.kind), queue, orders=announced)
    except BaseException:
        resending.release(broker, names)
        raise
    for order in orders:
        record_order(order.id, "order.send", Kind.PRODUCER, _described(order), began_ns=began_ns)


def enqueue_bunch(orders: Sequence[Order]) -> None:
    """Puts orders of one kind and broker, which were claimed, on their queue in one message; each is attempted alone.

    Raises `Unavailable`.
    """
    first, began_ns = orders[0], time.time_ns()
    announced = [(order.id, *order.args) for order in orders]
    _send("fanout.work_orders", (first.id, first.kind), queue_of(first.kind), orders=announced)
    for order in orders:
        record_order(order.id, "order.send", Kind.PRODUCER, _described(order), began_ns=began_ns)


@order_work("order.send_part", _id, Kind.PRODUCER, _described)
def enqueue_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> None:
    """Puts one part of a large order, from the follower above `after` on, on the queue of bulk work.

    Raises `Unavailable`.
    """
    _send("fanout.work_part", (order.id, order.kind, part, parts), BULK, after=after, resent=resent)


def _send(task: str, args: tuple[int | str, ...], queue: str, /, **kwargs: Any) -> None:
    """Sends to the broker of the order whose id is the first of the arguments. At once while its breaker is open."""
    broker = broker_of(cast(int, args[0]))
    try:
        with broker.breaker.guard(), producers.of(broker) as producer:
            current_app.send_task(task, args=args, kwargs=kwargs, queue=queue, producer=producer, retry=False, **PLAIN)
    except (OperationalError, LimitExceeded, RedisError, OSError) as error:
        raise Unavailable(broker.name) from error


class Dispatcher:
    """The thread that passes this process's orders on, started by the first `send`. A forked child has its own."""

    def __init__(
        self,
        pass_on: Callable[[Order], None],
        pass_on_together: PassOn = enqueue_together,
        pass_on_bunch: PassOn | None = None,
    ) -> None:
        self._pass_on = pass_on
        self._pass_on_together = pass_on_together
        self._pass_on_bunch = pass_on_bunch
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Begins with nothing in a forked child: what the parent has queued the parent's thread passes on."""
        self._lock = threading.Lock()
        self._is_running = False
        self._queue: queue.Queue[Order] = queue.Queue()

    @adopts(lambda _self, order: order.id)
    def send(self, order: Order) -> None:
        """Queues the order. Never blocks or raises, also when the system has no thread left or the process ends."""
        try:
            self._start_once()
            self._queue.put_nowait(order)
        except queue.Full:
            log.warning("dispatch_queue_full", order_id=order.id)
        except RuntimeError as error:
            log.warning("dispatch_failed", order_id=order.id, error=str(error))

    @property
    def waiting(self) -> int:
        """Orders of this process that the broker has not got yet, the one on its way included."""
        return self._queue.unfinished_tasks

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Waits until the queue is empty, at most that long."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)

    def _start_once(self) -> None:
        if self._is_running:
            return
        with self._lock:
            if not self._is_running:
                self._queue = queue.Queue(QUEUE_SIZE)
                threading.Thread(target=self._run, args=(self._queue,), name="dispatch", daemon=True).start()
                atexit.register(self.drain)
                self._is_running = True

    def _run(self, orders: "queue.Queue[Order]") -> None:
        held = HeldOrders(self._pass_on, self._pass_on_together, self._pass_on_bunch)
        passing = _Passing(orders, held, self._pass_on, self._pass_on_together)
        while True:
            try:
                passing.step()
            except Exception as error:
                log.warning("dispatch_failed", error=type(error).__name__)


class _Passing:
    """What the dispatching thread does with what comes off its queue. An order counts as waiting until it was sent, or
    is kept."""

    def __init__(
        self,
        orders: "queue.Queue[Order]",
        held: HeldOrders,
        pass_on: Callable[[Order], None],
        pass_on_together: PassOn,
    ) -> None:
        self._orders = orders
        self._pass_on = pass_on
        self._pass_on_together = pass_on_together
        self._held = held
        self._gathering = Gathering()
        self._goes_on = False
        """Whether a broker is taking what was kept for it."""

    def step(self) -> None:
        """Waits for an order, or until something else is to be sent, and sends it."""
        with suppress(queue.Empty):
            order = self._orders.get(timeout=self._seconds_to_wait())
            self._count(0)
            if not goes_together(order.kind):
                self._hand_on([order], partial(self._pass_on, order))
            elif due := self._gathering.add((broker_of(order.id).name, order.kind), order):
                self._hand_on(due, partial(self._pass_on_together, due))
            else:
                self._count(0)
        for due in self._gathering.due():
            self._hand_on(due, partial(self._pass_on_together, due))
        self._goes_on = False
        self._goes_on = bool(self._held) and self._held.pass_on_some()

    def _seconds_to_wait(self) -> float | None:
        """None is for ever: until somebody writes an order."""
        if self._goes_on:
            return 0.0
        due = self._gathering.seconds_left()
        if not self._held:
            return due
        return LOOK_SECONDS if due is None else min(due, LOOK_SECONDS)

    def _hand_on(self, orders: Sequence[Order], send: Callable[[], None]) -> None:
        try:
            send()
        except Unavailable as error:
            if refused := [order for order in orders if not self._held.hold(order)]:
                log.warning("dispatch_queue_full", order_id=refused[0].id, count=len(refused))
            log.warning("dispatch_waits", order_id=orders[0].id, count=len(orders), backend=error.backend)
        except Exception as error:
            log.warning("dispatch_failed", order_id=orders[0].id, count=len(orders), error=type(error).__name__)
        self._count(len(orders))
        for _ in orders:
            self._orders.task_done()

    def _count(self, sent: int) -> None:
        """Those that wait for others of their kind wait for no broker."""
        WAITING.set(self._orders.unfinished_tasks - sent - len(self._gathering))


dispatcher = Dispatcher(enqueue, pass_on_bunch=enqueue_bunch)
