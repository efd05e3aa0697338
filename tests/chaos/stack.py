"""The stack under test: both Valkeys, Cassandra, several web processes, workers and beat; and their supervisor.

Servers, preparations, workers and beat are those of `make run` (deploy/plan.py). Of the web
processes two are production's (granian), and one is that of `make run` (uvicorn). Every
process is restarted when it was killed, as a supervisor would; one that ends by itself is a finding.

All of this belongs to the main thread: a child dies with the thread that started it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from deploy.cassandra.node import CassandraNode
from deploy.cassandra.nodes import cassandra_nodes, replicated
from deploy.errors import CannotStart
from deploy.plan import ADDRESSES, ROOT, Options, environment, product
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, Hooks, nothing, start, stop, wait_until
from deploy.supervisor.runner import Backend, Command
from storage.redis.slots import slot_of
from tests.chaos.cluster import TimelineCluster
from tests.chaos.journal import Journal
from tests.chaos.schedule import SEVERAL
from tests.chaos.settings import CLUSTER, Settings

READY_SECONDS = 90.0
HEAP_MB = 320
"""Of each node of several: three of them, the product and its load fit a laptop."""
GRACE_SECONDS = 7.0
SHARDS = 8
"""TIMELINE_SHARDS of the stack, which leaves it at its default."""
SERVERS = {"TIMELINE_REDIS_URL": "timelines", "BROKER_REDIS_URL": "broker", "CASSANDRA_HOSTS": "cassandra"}
"""The short name of each server by the variable that its address is passed on in."""


@dataclass(slots=True)
class Process:
    command: Command
    child: Child | None = None
    starts: int = 0
    down: bool = False
    """Killed by us, and not to be restarted yet."""


class Stack:
    """`start`, break it by name, `tick` again and again, `stop`."""

    def __init__(self, settings: Settings, directory: Path, journal: Journal) -> None:
        self.urls = {f"web.{n}": f"http://{LOOPBACK}:{free_port()}" for n in range(1, SEVERAL["web"] + 1)}
        self.servers: dict[str, Any] = {}
        self.processes: dict[str, Process] = {}
        self._down: set[str] = set()
        self._journal = journal
        self._logs = directory / "logs"
        self._logs.mkdir(parents=True)
        # Whatever the surrounding shell points at is not ours to break.
        foreign = {*ADDRESSES, "DATABASE_URL", "PORT", "HOST", "SECONDS"}
        inherited = {name: value for name, value in os.environ.items() if name not in foreign}
        options = Options(host=LOOPBACK, port=free_port(), data_dir=directory, store=settings.store)
        self._env = environment(options, inherited) | {"RATE_LIMITS": "off"}
        self._cluster = TimelineCluster() if settings.timelines == CLUSTER else None
        elsewhere = {} if self._cluster is None else {"TIMELINE_REDIS_URL": self._cluster.url}
        self._env |= elsewhere
        self._plan = product(options, elsewhere)
        if settings.nodes > 1:
            others = [each for each in self._plan.backends if not isinstance(each.server, CassandraNode)]
            self._plan = replace(self._plan, backends=[*_nodes(directory, settings.nodes), *others])
        self._web = {name: _web_command(name, options, int(url.rpartition(":")[2])) for name, url in self.urls.items()}

    def start(self) -> None:
        """Returns when every web process answers. Raises `CannotStart`."""
        for backend in self._plan.backends:
            self._start_backend(backend)
        if self._cluster is not None:
            for name, server in self._cluster.servers.items():
                self.servers[name] = server.start()
            self._cluster.form()
        self._prepare()
        for command in [*self._web.values(), *(each for each in self._plan.processes if each.name != "web")]:
            self.processes[command.name] = Process(command)
            self.start_process(command.name)
        for name, url in self.urls.items():
            if not self._serves(name, url):
                raise CannotStart(f"{name} does not serve; see {self._logs}")

    def stop(self) -> None:
        children = [each.child for each in self.processes.values() if each.child is not None]
        for child in [*children, *(server.child for server in self.servers.values() if server.child is not None)]:
            _signal(child, signal.SIGCONT)
        stop(children, grace_seconds=GRACE_SECONDS)
        for server in reversed(self.servers.values()):
            server.stop()

    def tick(self) -> None:
        """Restarts what has ended by itself, and says so."""
        for name, process in self.processes.items():
            if process.child is not None and not process.down and process.child.ended():
                self._journal.find(f"{name} has ended by itself (exit status {process.child.returncode})")
                self.start_process(name)
        for name, server in self.servers.items():
            if name not in self._down and server.child is not None and server.child.ended():
                self._journal.find(f"{name} has ended by itself (exit status {server.child.returncode})")
                server.kill()
                self.restart_server(name)

    def start_process(self, name: str) -> None:
        process = self.processes[name]
        process.starts += 1
        log = self._logs / f"{name}.{process.starts}.log"
        process.child = start(name, process.command.argv, env=self._env, cwd=ROOT, log=log)
        process.down = False

    def kill(self, name: str) -> None:
        """`kill -9` of the process and all that it started; it stays down until it is started again."""
        if name in self.servers:
            self._down.add(name)
            self.servers[name].kill()
            return
        process = self.processes[name]
        process.down = True
        if process.child is not None:
            process.child.kill()

    def restart(self, name: str, while_waiting: Callable[[], None] = nothing) -> None:
        """Starts what was killed: a process without waiting for it, a server until it answers."""
        if name in self.servers:
            self.restart_server(name, while_waiting)
        else:
            self.start_process(name)

    def restart_server(self, name: str, while_waiting: Callable[[], None] = nothing) -> None:
        self._down.add(name)
        self.servers[name].start(Hooks(while_waiting=while_waiting))
        self._down.discard(name)

    def victim(self, target: str) -> str | None:
        """Returns the name of whoever stands behind a fault's target just now; None when nobody says."""
        third = _third_of(target)
        return target if self._cluster is None or third is None else self._cluster.primary(third)

    def flush(self, name: str) -> None:
        """Empties a Redis. One that is down or hung is emptied on its return, or has nothing to be emptied of."""
        with suppress(redis.RedisError), redis.Redis.from_url(self.servers[name].url, socket_timeout=5) as client:
            client.flushall()

    def move_slots(self, target: str, while_waiting: Callable[[], None]) -> bool:
        """Moves the slots of every other shard of that third to the next one's primary; whether it went well."""
        third = _third_of(target)
        slots = [slot_of(f"{{t{shard}/{SHARDS}}}") for shard in range(0, SHARDS, 2)]
        return self._cluster is not None and third is not None and self._cluster.move_slots(third, slots, while_waiting)

    def promote(self, target: str) -> bool:
        """Has the replica of that third's primary take its place; whether one was asked."""
        third = _third_of(target)
        return self._cluster is not None and third is not None and self._cluster.promote(third)

    def hang(self, name: str) -> None:
        _signal(self._child(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        _signal(self._child(name), signal.SIGCONT)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs manage.py to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self._env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def tracebacks(self) -> dict[str, int]:
        """How many stack traces each process has logged; of those that have none nothing."""
        found: dict[str, int] = {}
        for log in sorted(self._logs.glob("*.log")):
            count = log.read_text(errors="replace").count("Traceback (most recent call last)")
            name = log.name.rsplit(".", 2)[0]
            found[name] = found.get(name, 0) + count
        return {name: count for name, count in found.items() if count}

    def _child(self, name: str) -> Child:
        child: Child | None = self.servers[name].child if name in self.servers else self.processes[name].child
        if child is None:
            raise ValueError(f"{name} is not running")
        return child

    def _serves(self, name: str, url: str) -> bool:
        """Waits for it, unless it ends."""
        child = self._child(name)
        wait_until(lambda: child.ended() or answers_200(f"{url}/readyz"), seconds=READY_SECONDS)
        return not child.ended() and answers_200(f"{url}/readyz")

    def _start_backend(self, backend: Backend) -> None:
        backend.server.start(Hooks())
        variables = backend.variables()
        self._env |= variables
        name = _server_name(variables)
        self.servers[name if name not in self.servers else f"{name}.{len(self.servers) + 1}"] = backend.server

    def _prepare(self) -> None:
        children = [
            start(each.name, each.argv, env=self._env, cwd=ROOT, log=self._logs / f"{each.name}.0.log")
            for each in self._plan.preparations
        ]
        if not wait_until(lambda: all(child.ended() for child in children), seconds=READY_SECONDS):
            raise CannotStart(f"The preparations do not end; see {self._logs}")
        failed: Sequence[str] = [child.name for child in children if child.returncode != 0]
        if failed:
            raise CannotStart(f"{', '.join(failed)} failed; see {self._logs}")


def _third_of(target: str) -> int | None:
    name, _, number = target.partition(".")
    return int(number) if name == "timelines" and number.isdecimal() else None


def _web_command(name: str, options: Options, port: int) -> Command:
    if name == "web.1":
        of_make_run = product(replace(options, port=port), {}).processes[0]
        return Command(name, of_make_run.argv)
    address = ["--host", options.host, "--port", str(port)]
    size = ["--workers", "1", "--threads", "4"]
    program = [sys.executable, "-m", "config.web"]
    return Command(name, [*program, *address, *size, "config.wsgi:application"])


def _nodes(directory: Path, number: int) -> list[Backend]:
    """Nodes with a copy of everything on each, which are asked for a quorum."""
    nodes = cassandra_nodes(directory / "cassandra", number, heap_mb=HEAP_MB)
    variables = {
        "CASSANDRA_HOSTS": ",".join(node.host for node in nodes),
        "CASSANDRA_REPLICATION": replicated(number),
        "CASSANDRA_CONSISTENCY": "LOCAL_QUORUM",
    }
    return [Backend(node.host, node, lambda: variables | {"CASSANDRA_PORT": str(nodes[0].port)}) for node in nodes]


def _server_name(variables: Mapping[str, str]) -> str:
    return next(name for variable, name in SERVERS.items() if variable in variables)


def _signal(child: Child, number: signal.Signals) -> None:
    """To the process and all that it started."""
    if not child.ended():
        os.killpg(child.pid, number)
