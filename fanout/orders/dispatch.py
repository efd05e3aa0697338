"""Handing an order to the workers without making the caller wait.

`send` puts the order into a bounded queue in memory and returns; a thread of this process
passes it on to the broker. What the broker does not take it keeps, and sends at its return
(orders/holding.py). Whatever is lost on that way (the queue is full, the process is killed)
is still open in the outbox, and the sweeper sends it again: this is only the fast path.
"""

import atexit
import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, cast

import structlog
from celery import current_app
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool
from prometheus_client import Gauge
from redis.exceptions import RedisError

from fanout.orders.brokers import broker_of
from fanout.orders.handlers import queue_of
from fanout.orders.holding import HeldOrders
from fanout.orders.queues import BULK
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.process import start_anew_after_fork
from storage.redis.node import RedisNode
from storage.tracing import Attributes, Kind, adopts, order_work

QUEUE_SIZE = 10_000
"""About 2 MB; at 1,850 messages a second it holds five seconds of posts."""
PLAIN: dict[str, Any] = {"argsrepr": "", "kwargsrepr": "", "declare": ()}
"""A message without its arguments in words, which are for tools that watch Celery; and without the queue
being declared before each, as a list in Redis needs none. Together a third of what a message costs
its sender (460 µs of CPU; 300 like this)."""
CONNECTIONS = 4
"""To a group's broker: a process sends from its dispatching thread, and a sweeper or worker from one more."""
ANSWER_SECONDS = 1.0
"""A group's broker is given so long to answer: meanwhile the dispatching thread sends to no other."""
SENDING_SECONDS = 5.0
"""How long to wait for one of the connections, of which each is busy for as long as a broker is given to answer."""
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


@order_work("order.send_part", _id, Kind.PRODUCER, _described)
def enqueue_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> None:
    """Puts one part of a large order, from the follower above `after` on, on the queue of bulk work.

    Raises `Unavailable`.
    """
    _send("fanout.work_part", (order.id, order.kind, part, parts), BULK, after=after, resent=resent)


def _send(task: str, args: tuple[int | str, ...], queue: str, /, **kwargs: Any) -> None:
    """Sends to the broker of the order, which is the first of the arguments. At once while its breaker is open."""
    broker = broker_of(cast(int, args[0]))
    try:
        with broker.breaker.guard(), producers.of(broker) as producer:
            current_app.send_task(task, args=args, kwargs=kwargs, queue=queue, producer=producer, retry=False, **PLAIN)
    except (OperationalError, LimitExceeded, RedisError, OSError) as error:
        raise Unavailable(broker.name) from error


class Producers:
    """Celery's connections to brokers: the app's own to the one that it was started with, a pool to each other."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves the parent's connections alone in a forked child."""
        self._lock = threading.Lock()
        self._pools: dict[str, ProducerPool] = {}

    def of(self, broker: RedisNode) -> AbstractContextManager[Any]:
        """Returns a context of one to publish by."""
        if broker.url == current_app.conf.broker_write_url:
            return cast(AbstractContextManager[Any], current_app.producer_or_acquire())
        return cast(AbstractContextManager[Any], self._pool_of(broker.url).acquire(True, timeout=SENDING_SECONDS))

    def close(self) -> None:
        """Closes the connections of this process's own pools."""
        with self._lock:
            for pool in self._pools.values():
                pool.connections.force_close_all()
            self._pools = {}

    def _pool_of(self, url: str) -> ProducerPool:
        with self._lock:
            if url not in self._pools:
                options = {"socket_timeout": ANSWER_SECONDS}
                connection = current_app.connection_for_write(url, transport_options=options)
                connections = connection.Pool(limit=CONNECTIONS)
                self._pools[url] = ProducerPool(connections, limit=CONNECTIONS)
            return self._pools[url]


producers = Producers()


class Dispatcher:
    """The thread that passes this process's orders on, started by the first `send`. A forked child has its own."""

    def __init__(self, pass_on: Callable[[Order], None]) -> None:
        self._pass_on = pass_on
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
        held = HeldOrders(self._pass_on)
        while True:
            with suppress(queue.Empty):
                order = orders.get(timeout=LOOK_SECONDS if held else None)
                WAITING.set(orders.unfinished_tasks)
                self._hand_on(order, held)
                WAITING.set(orders.unfinished_tasks - 1)
                orders.task_done()
            try:
                if held:
                    held.pass_on_some()
            except Exception as error:
                log.warning("dispatch_failed", error=type(error).__name__)

    def _hand_on(self, order: Order, held: HeldOrders) -> None:
        try:
            self._pass_on(order)
        except Unavailable as error:
            if not held.hold(order):
                log.warning("dispatch_queue_full", order_id=order.id)
            log.warning("dispatch_waits", order_id=order.id, backend=error.backend)
        except Exception as error:
            log.warning("dispatch_failed", order_id=order.id, error=type(error).__name__)


dispatcher = Dispatcher(enqueue)
