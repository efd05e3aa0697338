"""A cluster of Valkey servers on loopback: three primaries and a replica of each, in a second or two.

Who has which slots is told each server at once, so nothing waits for the cluster to spread it but for the votes.
For tests and for `make chaos`: nothing here knows Django.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import redis

from deploy.errors import CannotStart
from deploy.supervisor.ports import LOOPBACK, free_port, is_free
from deploy.supervisor.privacy import write_private
from deploy.supervisor.processes import NO_HOOKS, Hooks, wait_until
from deploy.valkey import Valkey, _quoted
from storage.redis.slots import slot_of

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

    def __init__(self, port: int | None, password: str, name: str) -> None:
        super().__init__(port or free_port(), name=name, password=password)
        self._bus = _bus_port()
        self._is_given_port = port is not None
        self.has_joined = False

    def start(self, hooks: Hooks = NO_HOOKS) -> Self:
        """Does as any server; one that had joined the cluster returns when it knows the others again."""
        try:
            super().start(hooks)
        except CannotStart:
            if self.has_joined:
                raise
            self._take_other_ports()
            super().start(hooks)
        if self.has_joined:
            waited = hooks.while_waiting
            known = wait_until(self._knows_the_others, seconds=WAIT_SECONDS, while_waiting=waited)
            assert known, "it did not come back to the cluster"
        return self

    def _take_other_ports(self) -> None:
        """Another run of tests may have taken one since it was found free."""
        self._bus = _bus_port()
        if not self._is_given_port:
            self.port = free_port()

    def _knows_the_others(self) -> bool:
        return self.state()["cluster_state"] == "ok"

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

    def times(self, command: str) -> int:
        """How often it has carried out a command."""
        return int(self.tell("INFO", "commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])

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
        named = [*ports, *(None for _ in range(2 * PRIMARIES - len(ports)))]
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
            self.form()
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def form(self) -> None:
        """Makes one cluster of servers that have just been started."""
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
        for each in self.servers:
            each.has_joined = True

    def _is_whole(self, server: ClusterServer) -> bool:
        told = server.tell("CLUSTER SLOTS")
        state = server.state()
        return state["cluster_state"] == "ok" and len(told) == PRIMARIES and all(len(each) == 4 for each in told)

    def primary_of(self, key: str | bytes) -> ClusterServer:
        """Returns the server that has the key's slot, as the servers see it now."""
        return self.primary_of_slot(slot_of(key))

    def primary_of_slot(self, slot: int) -> ClusterServer:
        """Does as `primary_of`. Raises `LookupError` when no server says."""
        for asked in self.servers:
            with suppress(redis.RedisError):
                for first, last, (_, port, *_), *_ in asked.tell("CLUSTER SLOTS") if asked.child is not None else []:
                    if first <= slot <= last:
                        return next(each for each in self.servers if each.port == port)
        raise LookupError(f"no server knows who has slot {slot}")

    def move_slot(
        self, slot: int, source: ClusterServer, target: ClusterServer, *, first: Sequence[str] = ()
    ) -> Iterator[int]:
        """Moves a slot as `redis-cli --cluster reshard` does, key by key; yields before each, and before the end.

        The keys come in any order, but for those that go `first`.
        """
        target.tell("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.tell("CLUSTER SETSLOT", slot, "MIGRATING", target.id)
        try:
            yield from self._move_keys(slot, source, target, first)
        except BaseException:
            for each in (target, source):
                each.tell("CLUSTER SETSLOT", slot, "STABLE")
            raise
        for each in (target, source):
            each.tell("CLUSTER SETSLOT", slot, "NODE", target.id)

    def _move_keys(
        self, slot: int, source: ClusterServer, target: ClusterServer, first: Sequence[str]
    ) -> Iterator[int]:
        moved = 0
        while keys := first[moved : moved + 1] or source.tell("CLUSTER GETKEYSINSLOT", slot, 1):
            yield moved
            with redis.Redis.from_url(source.url) as client:
                client.migrate(LOOPBACK, target.port, keys, 0, 10_000, auth=source.password)
            moved += 1
        yield moved


def wait_for(condition: Any) -> None:
    assert wait_until(condition, seconds=WAIT_SECONDS), "the cluster did not come to it"


def _is_synchronised(replica: ClusterServer) -> bool:
    with redis.Redis.from_url(replica.url) as client:
        return bool(client.info("replication").get("master_link_status") == "up")
