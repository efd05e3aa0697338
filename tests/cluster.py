"""A cluster of Valkey servers on loopback: three primaries and a replica of each, in a second or two.

Who has which slots is told each server at once, so nothing waits for the cluster to spread it but for the votes.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from django.test import override_settings

from deploy.supervisor.ports import LOOPBACK, free_port, is_free
from deploy.supervisor.privacy import write_private
from deploy.supervisor.processes import wait_until
from deploy.valkey import Valkey, _quoted
from storage.redis.node import timeline_node
from storage.redis.slots import slot_of
from tests.settings import TIMELINES_ON_A_CLUSTER

on_one_server = pytest.mark.skipif(TIMELINES_ON_A_CLUSTER, reason="asks a server what a cluster has by node or by slot")

SLOTS = 16_384
PRIMARIES = 3
PASSWORD = "of a cluster"
NODE_TIMEOUT_MS = 2_000
"""A primary that says nothing for so long is dead, and its replica is voted for."""
WAIT_SECONDS = 60.0


BUS_PORTS = range(14_000, 19_000)
"""Below the ports that tests choose for servers which they start later: one in 400 would meet another there."""


def _bus_port() -> int:
    return next(port for port in random.sample(BUS_PORTS, len(BUS_PORTS)) if is_free(port))


class ClusterServer(Valkey):
    """One server of a cluster. Its bus has a port of its own, since the usual one (10,000 above) may be none."""

    def __init__(self, port: int, password: str, name: str) -> None:
        super().__init__(port, name=name, password=password)
        self._bus = _bus_port()

    def _configuration(self, directory: Path) -> Path:
        path = directory / "valkey.conf"
        quoted = _quoted(self.password)
        write_private(path, f"requirepass {quoted}\nmasterauth {quoted}\n")
        return path

    def _argv(self, port: int, directory: Path, configuration: Path) -> list[str]:
        options = {
            "cluster-enabled": "yes",
            "cluster-port": str(self._bus),
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-require-full-coverage": "no",
            "cluster-replica-validity-factor": "0",
            "repl-diskless-sync-delay": "0",
        }
        more = (part for name, each in options.items() for part in (f"--{name}", each))
        return [*super()._argv(port, directory, configuration), *more]

    def tell(self, *command: str | bytes | int) -> Any:
        with redis.Redis.from_url(self.url, socket_timeout=10) as client:
            return client.execute_command(*command)

    @property
    def id(self) -> str:
        return str(self.tell("CLUSTER MYID").decode())

    def state(self) -> dict[str, str]:
        return {name: str(each) for name, each in self.tell("CLUSTER INFO").items()}

    @property
    def is_primary(self) -> bool:
        return bool(self.tell("ROLE")[0] == b"master")


class ValkeyCluster:
    """`primaries` have a third of the slots each; `replicas` follow them, in their order."""

    def __init__(self, ports: Sequence[int] = (), *, password: str = PASSWORD) -> None:
        named = [*ports, *(free_port() for _ in range(2 * PRIMARIES - len(ports)))]
        servers = [ClusterServer(port, password, f"node-{number}") for number, port in enumerate(named)]
        self.primaries, self.replicas = servers[:PRIMARIES], servers[PRIMARIES:]
        self._running = ExitStack()

    @property
    def servers(self) -> list[ClusterServer]:
        return [*self.primaries, *self.replicas]

    @property
    def url(self) -> str:
        who, _, _ = self.primaries[0].url.removeprefix("redis://").rpartition("@")
        return f"redis+cluster://{who}@{','.join(f'{LOOPBACK}:{each.port}' for each in self.primaries)}"

    def __enter__(self) -> Self:
        with ExitStack() as running:
            for each in self.servers:
                running.enter_context(each)
            self._form()
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _form(self) -> None:
        for number, primary in enumerate(self.primaries):
            first, last = SLOTS * number // PRIMARIES, SLOTS * (number + 1) // PRIMARIES - 1
            primary.tell("CLUSTER SET-CONFIG-EPOCH", number + 1)
            primary.tell("CLUSTER ADDSLOTSRANGE", first, last)
        for other in self.servers[1:]:
            self.primaries[0].tell("CLUSTER MEET", LOOPBACK, other.port, other._bus)
        wait_for(lambda: all(each.state()["cluster_known_nodes"] == str(2 * PRIMARIES) for each in self.servers))
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            wait_for(lambda primary=primary, replica=replica: primary.id in str(replica.tell("CLUSTER NODES")))
            replica.tell("CLUSTER REPLICATE", primary.id)
        wait_for(lambda: all(self._is_whole(each) for each in self.servers))
        wait_for(lambda: all(_is_synchronised(each) for each in self.replicas))

    def _is_whole(self, server: ClusterServer) -> bool:
        told = server.tell("CLUSTER SLOTS")
        state = server.state()
        return state["cluster_state"] == "ok" and len(told) == PRIMARIES and all(len(each) == 4 for each in told)

    def primary_of(self, key: str | bytes) -> ClusterServer:
        """Returns the server that has the key's slot, as the servers see it now."""
        slot = slot_of(key)
        for asked in self.servers:
            if asked.child is not None:
                for first, last, (_, port, *_), *_ in asked.tell("CLUSTER SLOTS"):
                    if first <= slot <= last:
                        return next(each for each in self.servers if each.port == port)
        raise AssertionError("nobody has it")

    def move_slot(self, slot: int, source: ClusterServer, target: ClusterServer) -> Iterator[int]:
        """Moves a slot as `redis-cli --cluster reshard` does, key by key; yields before each, and before the end."""
        target.tell("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.tell("CLUSTER SETSLOT", slot, "MIGRATING", target.id)
        moved = 0
        while keys := source.tell("CLUSTER GETKEYSINSLOT", slot, 1):
            yield moved
            with redis.Redis.from_url(source.url) as client:
                client.migrate(LOOPBACK, target.port, keys, 0, 10_000, auth=source.password)
            moved += 1
        yield moved
        for each in (target, source):
            each.tell("CLUSTER SETSLOT", slot, "NODE", target.id)


def wait_for(condition: Any) -> None:
    assert wait_until(condition, seconds=WAIT_SECONDS), "the cluster did not come to it"


def _is_synchronised(replica: ClusterServer) -> bool:
    with redis.Redis.from_url(replica.url) as client:
        return bool(client.info("replication").get("master_link_status") == "up")


@contextmanager
def timelines_at(url: str) -> Iterator[None]:
    """Inside, this process takes that cluster for the timelines' Redis."""
    with override_settings(TIMELINE_REDIS_URL=url):
        leave_timelines()
        try:
            yield
        finally:
            leave_timelines()


def leave_timelines() -> None:
    """Whoever comes next has connections of their own. Those of before are closed here: a node is part of a cycle, and
    where the collector comes to a socket before its connection, it warns of one that nobody closed."""
    node = timeline_node()
    timeline_node.cache_clear()
    node.disconnect()
    if (cluster := node._cluster) is not None:
        for member in cluster._members.values():
            member.disconnect()
        if (look := cluster.topology._looking) is not None:
            look.join(WAIT_SECONDS)
        if (client := cluster.topology._client) is not None:
            client.close()
