"""A process's connections to the brokers that orders are published to."""

import threading
from contextlib import AbstractContextManager
from typing import Any, cast

from celery import current_app
from kombu.pools import ProducerPool

from storage.process import start_anew_after_fork
from storage.redis.node import RedisNode

CONNECTIONS = 4
"""To a group's broker: a process sends from its dispatching thread, and a sweeper or worker from one more."""
ANSWER_SECONDS = 1.0
"""A group's broker is given so long to answer: meanwhile the dispatching thread sends to no other."""
SENDING_SECONDS = 5.0
"""How long to wait for one of the connections, of which each is busy for as long as a broker is given to answer."""


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
