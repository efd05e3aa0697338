"""Which primary has which slots of a cluster: what one of its nodes said last (`CLUSTER SLOTS`), asked anew at need.

A look asks one node after the other until one says; nothing else is asked of them, so that one node that is down costs
at most its timeout. It is made before the first command; afterwards by a thread of its own, when a node did not answer
or said that a slot is elsewhere, since whoever met that has a way on without Redis, and would wait for a node that is
hung. At most one such look at a time, and one in LOOK_SECONDS. What was known goes on counting when a look fails.

What is known is one value that is replaced, never changed, and no connection is kept: a forked child begins with what
its parent knew.
"""

import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import AskError, MovedError, RedisError
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry

from storage.redis.cluster_urls import seeds, url_of

LOOK_SECONDS = 0.25

FAULTS = (RedisError, OSError, LookupError, TypeError, ValueError)
"""What is raised where a node does not answer, is of no cluster, or says what no node of one would."""

log = structlog.get_logger(__name__)

Owners = tuple[str | None, ...]
"""The address of each slot's primary; None: nobody has it."""


class Map(msgspec.Struct, frozen=True):
    """Who has which slots."""

    owners: Owners
    primaries: tuple[str, ...]
    """Those that have slots, in a fixed order."""


class Topology:
    """One process's knowledge of one cluster. Thread-safe.

    `learnt` is told after each look which nodes have slots. It must not raise.
    """

    def __init__(self, url: str, learnt: Callable[[Collection[str]], object] = lambda addresses: None) -> None:
        self._url = url
        self._learnt = learnt
        self._map: Map | None = None
        self.start_anew()

    def start_anew(self) -> None:
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None
        self._looked_at = float("-inf")

    def primary_of(self, slot: int) -> str:
        """Returns the address of the node that has the slot. Raises `RedisError`: nobody answers, or nobody has it.

        Connects if no look has said anything yet.
        """
        return self._owner(self._known(), slot)

    def last_primary_of(self, slot: int) -> str:
        """Does as `primary_of`, by what is known: it never connects, and raises at once while nothing is.

        Then, and when nobody has the slot, a look is made soon.
        """
        return self._owner(self._map, slot)

    def primaries(self) -> Sequence[str]:
        """Returns the addresses of all nodes that have slots, in a fixed order. Raises `RedisError`. Connects as
        `primary_of`."""
        return self._known().primaries

    def covers_everything(self) -> bool:
        """Returns whether each slot is somebody's. Raises `RedisError`. Connects as `primary_of`."""
        return None not in self._known().owners

    def moved(self, error: MovedError) -> None:
        """Learns from a node that a slot is another's, and looks for what else has changed."""
        address, slot = self.address_in(error), error.slot_id
        with self._lock:
            known = self._map
            if known is not None and known.owners[slot] != address:
                owners = (*known.owners[:slot], address, *known.owners[slot + 1 :])
                self._map = Map(owners, tuple(sorted({*known.primaries, address})))
        self.look_soon()

    def address_in(self, error: AskError) -> str:
        """Returns the address that a node points to."""
        return url_of(self._url, error.host, error.port)

    def look(self) -> Map:
        """Looks now: in this thread, up to a timeout for each node. Raises `RedisError` when none says anything."""
        fault: Exception = NoConnection("no node of the cluster has slots")
        owners: Owners = (None,) * REDIS_CLUSTER_HASH_SLOTS
        for address in self._to_be_asked():
            try:
                owners = _together(owners, self._told_by(address))
            except FAULTS as error:
                fault = error
            if None not in owners:
                break
        found = _map_of(owners)
        if not found.primaries:
            raise NoConnection(f"nobody says who has which slots: {fault}") from fault
        with self._lock:
            self._map = found
        self._learnt(found.primaries)
        return found

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
        except RedisError as error:
            log.warning("cluster_topology_unknown", error=repr(error))
        finally:
            with self._lock:
                self._looking = None
                self._looked_at = time.monotonic()

    def _known(self) -> Map:
        return self._map or self.look()

    def _owner(self, known: Map | None, slot: int) -> str:
        owner = None if known is None else known.owners[slot]
        if owner is None:
            self.look_soon()
            raise NoConnection(f"it is not known who has slot {slot}")
        return owner

    def _to_be_asked(self) -> list[str]:
        """Those that had slots, in any order, and then those of the settings: their names may mean others by now."""
        known = list(self._map.primaries) if self._map else []
        named = seeds(self._url)
        return list(dict.fromkeys([*random.sample(known, len(known)), *random.sample(named, len(named))]))

    def _told_by(self, address: str) -> Owners:
        """Whom one node takes for the owners. Raises FAULTS."""
        with redis.Redis.from_url(
            address,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            told = client.execute_command("CLUSTER SLOTS")
        owners: list[str | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, (host, port, *_), *_ in told:
            owners[first : last + 1] = [self._address(host, port, address)] * (last + 1 - first)
        return tuple(owners)

    def _address(self, host: Any, port: int, asked: str) -> str:
        """A node's address; one that does not know its own host is where it was asked."""
        name = host.decode() if isinstance(host, bytes) else host
        return url_of(self._url, name or str(urlsplit(asked).hostname), port)


def _together(one: Owners, other: Owners) -> Owners:
    """What two nodes say; the first where both do."""
    return tuple([first or second for first, second in zip(one, other, strict=True)])


def _map_of(owners: Owners) -> Map:
    return Map(owners, tuple(sorted({owner for owner in owners if owner is not None})))
