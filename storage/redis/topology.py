"""Which primary has which slots of a cluster: what redis-py's cluster client has learnt, looked up anew at need.

A look asks one node after the other until one says. It is made before the first command; afterwards by a thread
of its own, when a node did not answer or said that a slot is elsewhere, since whoever met that has a way on without
Redis, and would wait for a node that is hung. At most one look at a time, and one in LOOK_SECONDS.
"""

import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import AskError, MovedError, RedisClusterException, RedisError
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry

from storage.redis.cluster_urls import seeds, url_of

LOOK_SECONDS = 0.25

log = structlog.get_logger(__name__)


class Topology:
    """One process's knowledge of one cluster. Thread-safe; a forked child looks for itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.start_anew()

    def start_anew(self) -> None:
        self._lock = threading.Lock()
        self._client: RedisCluster | None = None
        self._looking: threading.Thread | None = None
        self._looked_at = float("-inf")

    def primary_of(self, slot: int) -> str:
        """Returns the address of the node that has the slot. Raises `RedisError`: nobody answers, or nobody has it."""
        try:
            return self._address(self._known().nodes_manager.get_node_from_slot(slot))
        except RedisClusterException as error:
            self.look_soon()
            raise NoConnection(str(error)) from error

    def primaries(self) -> list[str]:
        """Returns the addresses of all nodes that have slots, in a fixed order. Raises `RedisError`."""
        slots = self._known().nodes_manager.slots_cache
        return sorted({self._address(nodes[0]) for nodes in slots.values() if nodes})

    def covers_everything(self) -> bool:
        """Returns whether each slot is somebody's. Raises `RedisError`."""
        return len(self._known().nodes_manager.slots_cache) == REDIS_CLUSTER_HASH_SLOTS

    def moved(self, error: MovedError) -> None:
        """Learns from a node that a slot is another's, and looks for what else has changed."""
        with suppress(KeyError):  # nobody had it
            self._known().nodes_manager.move_slot(error)
        self.look_soon()

    def address_in(self, error: AskError) -> str:
        """Returns the address that a node points to."""
        return url_of(self._url, error.host, error.port)

    def look(self) -> None:
        """Looks now. Raises `RedisError` when no node answers."""
        try:
            self._known().nodes_manager.initialize()
        except RedisClusterException as error:
            raise NoConnection(str(error)) from error

    def look_soon(self) -> None:
        """Has a look made, unless one is under way or was made a moment ago. Never blocks, never raises."""
        with self._lock:
            if self._looking is not None or time.monotonic() < self._looked_at + LOOK_SECONDS:
                return
            thread = threading.Thread(target=self._run, name="cluster-topology", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return
            self._looking = thread

    def _run(self) -> None:
        try:
            self.look()
        except (RedisError, OSError) as error:
            log.warning("cluster_topology_unknown", error=repr(error))
            self._client = None  # the addresses of the settings, whose names may mean other nodes by now
        finally:
            with self._lock:
                self._looking = None
                self._looked_at = time.monotonic()

    def _known(self) -> RedisCluster:
        client = self._client
        if client is None:
            client = self._client = self._connected()
        return client

    def _connected(self) -> RedisCluster:
        first, *others = seeds(self._url)
        options: dict[str, Any] = {
            "socket_connect_timeout": settings.REDIS_TIMEOUT_SECONDS,
            "socket_timeout": settings.REDIS_TIMEOUT_SECONDS,
            "require_full_coverage": False,
            "retry": Retry(NoBackoff(), 0),
        }
        try:
            return RedisCluster(url=first, startup_nodes=[_startup_node(each) for each in others], **options)
        except RedisClusterException as error:
            raise NoConnection(str(error)) from error

    def _address(self, node: ClusterNode) -> str:
        return url_of(self._url, node.host, node.port)


def _startup_node(url: str) -> ClusterNode:
    place = urlsplit(url)
    return ClusterNode(place.hostname, place.port)  # type: ignore[no-untyped-call]
