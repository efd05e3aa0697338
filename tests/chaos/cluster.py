"""The timelines on a cluster of six servers, and what only a cluster suffers: slots that move, replicas promoted.

A fault names a third of the slots ("timelines.2"): whoever is the primary of its first slot when it comes is hit.
"""

from collections.abc import Callable
from contextlib import suppress

import redis

from tests.chaos.schedule import THIRDS
from tests.valkey_cluster import SLOTS, ClusterServer, ValkeyCluster

KEYS_A_TICK = 50
"""So many keys of a slot are moved before somebody looks whether another process has ended."""


class TimelineCluster:
    """Starting and stopping its servers is the stack's; `form` when all of them run."""

    def __init__(self) -> None:
        self._cluster = ValkeyCluster()

    @property
    def url(self) -> str:
        return self._cluster.url

    @property
    def servers(self) -> dict[str, ClusterServer]:
        """By the names that the stack knows them by."""
        return {f"timelines.{each.name}": each for each in self._cluster.servers}

    def form(self) -> None:
        self._cluster.form()

    def primary(self, third: int) -> str | None:
        """Returns the name of the primary of the third, from 1 on; None when no server says."""
        with suppress(LookupError):
            server = self._cluster.primary_of_slot(_first_slot(third))
            return next(name for name, each in self.servers.items() if each is server)
        return None

    def move_slots(self, third: int, slots: list[int], while_waiting: Callable[[], None]) -> bool:
        """Moves those of the slots that the third's primary has to another primary; whether all went well."""
        source = self._primary_of(third)
        target = self._primary_of(third % THIRDS + 1)
        if source is None or target is None or source is target:
            return False
        try:
            for slot in slots:
                if self._cluster.primary_of_slot(slot) is source:
                    for moved in self._cluster.move_slot(slot, source, target):
                        if moved % KEYS_A_TICK == 0:
                            while_waiting()
        except (redis.RedisError, LookupError):
            return False
        return True

    def promote(self, third: int) -> bool:
        """Has a replica of the third's primary take over in good order, as an operator does; whether one was asked."""
        primary = self._primary_of(third)
        if primary is None:
            return False
        for each in self._cluster.servers:
            with suppress(redis.RedisError):
                if each.child is not None and each.tell("ROLE")[0] == b"slave" and each.tell("ROLE")[2] == primary.port:
                    each.tell("CLUSTER FAILOVER")
                    return True
        return False

    def _primary_of(self, third: int) -> ClusterServer | None:
        name = self.primary(third)
        return None if name is None else self.servers[name]


def _first_slot(third: int) -> int:
    return SLOTS * (third - 1) // THIRDS
