"""Handing an order to the workers without making the caller wait.

`send` puts the order into a bounded queue in memory and returns; a thread of this process
passes it on to the broker, together with those that came while it sent the last ones: so the busier
a process is, the less it sends. Whatever is lost on that way (the broker is down or hung, the
queue is full, the process is killed) is still open in the outbox, and the sweeper sends it
again: this is only the fast path.
"""

import atexit
import os
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.graph import GRAPH_ORDER
from storage.errors import Unavailable
from storage.outbox import Order
from storage.redis import broker_node

GRAPH, FANOUT, BULK = "graph", "fanout", "bulk"
QUEUES = (GRAPH, FANOUT)
"""The queues of whole orders."""
Named = tuple[int, str]
"""An order in a message: its id and kind."""

QUEUE_SIZE = 10_000
"""About 2 MB; at 1,850 messages a second it holds five seconds of posts."""
PLAIN: dict[str, Any] = {"argsrepr": "", "kwargsrepr": "", "declare": ()}
"""A message without its arguments in words, which are for tools that watch Celery; and without the queue
being declared before each, as a list in Redis needs none. Together a third of what a message costs
its sender (460 µs of CPU; 300 like this)."""
TOGETHER = 16
"""Orders in one message, whose cost to its sender (0.3 to 1.4 ms of CPU, beside the requests of the process) is
then hardly felt."""
DRAIN_SECONDS = 1.0
"""How long a process that ends waits for its queue to empty."""

log = structlog.get_logger(__name__)


def queue_of(kind: str) -> str:
    """The queue of an order: changes of the graph do not wait behind tweets."""
    return GRAPH if kind == GRAPH_ORDER else FANOUT


def by_queue(orders: Iterable[Order]) -> dict[str, list[Order]]:
    queues: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        queues[queue_of(order.kind)].append(order)
    return queues


def enqueue(orders: Sequence[Order], *, resent: bool = False) -> None:
    """Puts the orders on the broker's queues, TOGETHER in a message, within the transport's timeouts.

    Raises `Unavailable`; some may be there then.
    """
    for of_queue in by_queue(orders).values():
        for start in range(0, len(of_queue), TOGETHER):
            enqueue_named([(order.id, order.kind) for order in of_queue[start : start + TOGETHER]], resent=resent)


def enqueue_named(orders: Sequence[Named], *, resent: bool = False) -> None:
    """Puts orders of one queue on it, in one message. Raises `Unavailable`."""
    _send("fanout.work_orders", (orders,), queue_of(orders[0][1]), resent=resent)


def enqueue_part(order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> None:
    """Puts one part of a large order, from the follower above `after` on, on the queue of bulk work.

    Raises `Unavailable`.
    """
    _send("fanout.work_part", (order.id, order.kind, part, parts), BULK, after=after, resent=resent)


def _send(task: str, args: tuple[Any, ...], queue: str, **kwargs: int) -> None:
    """Raises at once while the broker's breaker is open."""
    try:
        with broker_node().breaker.guard():
            current_app.send_task(task, args=args, kwargs=kwargs, queue=queue, retry=False, **PLAIN)
    except (OperationalError, RedisError, OSError) as error:
        raise Unavailable("redis_broker") from error


class Dispatcher:
    """One thread a process, started by the first `send` after a fork."""

    def __init__(self, pass_on: Callable[[Sequence[Order]], None]) -> None:
        self._pass_on = pass_on
        self._lock = threading.Lock()
        self._pid = 0
        self._queue: queue.Queue[Order] = queue.Queue()

    def send(self, order: Order) -> None:
        """Never blocks, never raises; also when the system has no thread left, or the process is ending."""
        try:
            self._start_once()
            self._queue.put_nowait(order)
        except queue.Full:
            log.warning("dispatch_queue_full", order=order.id)
        except RuntimeError as error:
            log.warning("dispatch_failed", order=order.id, error=str(error))

    @property
    def waiting(self) -> int:
        """Orders of this process that the broker has not got yet, the one on its way included."""
        return self._queue.unfinished_tasks if self._pid == os.getpid() else 0

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Waits until the queue is empty, at most that long."""
        deadline = time.monotonic() + seconds
        while self._pid == os.getpid() and self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)

    def _start_once(self) -> None:
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._queue = queue.Queue(QUEUE_SIZE)
                threading.Thread(target=self._run, args=(self._queue,), name="dispatch", daemon=True).start()
                atexit.register(self.drain)
                self._pid = os.getpid()

    def _run(self, orders: "queue.Queue[Order]") -> None:
        while True:
            waiting = _next_of(orders)
            try:
                self._pass_on(waiting)
            except Exception as error:
                log.warning("dispatch_failed", orders=[order.id for order in waiting], error=type(error).__name__)
            finally:
                for _ in waiting:
                    orders.task_done()


def _next_of(orders: "queue.Queue[Order]") -> list[Order]:
    """Waits for one; and those that wait by then, TOGETHER at most."""
    found = [orders.get()]
    with suppress(queue.Empty):
        while len(found) < TOGETHER:
            found.append(orders.get_nowait())
    return found


dispatcher = Dispatcher(enqueue)
