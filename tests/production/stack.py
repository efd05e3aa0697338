"""docker-compose.yml as local processes: each service's own command and environment, behind the shipped front.

There is no container engine where this runs. What differs from the containers: addresses and ports are loopback's,
directories are temporary ones, `redis-server` is the Valkey of the packages, Cassandra is that of deploy/cassandra
under the options that compose gives its image's, and the front is Debian's nginx. With `store="embedded"` SQLite takes
the place of PostgreSQL and Cassandra, for tests.

All of it belongs to the main thread: a child dies with the thread that started it.
"""

import os
import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.cassandra.node import CassandraNode
from deploy.errors import CannotStart
from deploy.opensearch.node import OpenSearchNode
from deploy.plan import ROOT
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, last_lines, start, stop, wait_until
from deploy.valkey import binary
from tests.front import NAME, Front, front
from tests.postgresql import programs, running
from tests.production.composed import Service, services

READY_SECONDS = 180.0
DOORS = {"web": 8000, "web-2": 8000, "live": 8001, "live-2": 8001}
WORKERS = ("worker", "bulk-worker", "sweeper", "sweeper-2", "beat")
ORDER = (*WORKERS, *("live", "live-2", "web", "web-2"))
"""In which docs/operations.md has them replaced."""
INHERITED = ("HOME", "LANG", "TMPDIR", "JAVA_HOME")
REDIS_CONFIGURATION = "/usr/local/etc/redis/password.conf"
HEAP_MB = 512


class PasswordedNode(CassandraNode):
    """A node that refuses whoever has no password, and so is not asked whether it serves."""

    def _ready(self) -> bool:
        return "Startup complete" in self.log.read_text(errors="replace")


class Production:
    """A context: everything is up within it, behind `front`."""

    def __init__(self, directory: Path, *, store: str = "cassandra", **variables: str) -> None:
        self.directory = directory
        self.front: Front
        self.late: list[str] = []
        """Processes that had to be killed, as they did not end in time."""
        self._store = store
        self._ports = {name: free_port() for name in (*DOORS, "timelines", "broker")}
        self._children: dict[str, Child] = {}
        self._starts: dict[str, int] = {}
        self._exits = ExitStack()
        password = secrets.token_hex(16)
        self.variables = {
            "SECRET_KEY": secrets.token_hex(32),
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "REDIS_PASSWORD": password,
            "CASSANDRA_PASSWORD": secrets.token_hex(16),
            "METRICS_TOKEN": secrets.token_hex(16),
            "SEARCH_URL": "off",
            "ALLOWED_HOSTS": NAME,
            "SERVER_NAMES": NAME,
            "TLS_DIR": str(directory),
            "TIMELINE_REDIS_URL": f"redis://:{password}@{LOOPBACK}:{self._ports['timelines']}/0",
            "BROKER_REDIS_URL": f"redis://:{password}@{LOOPBACK}:{self._ports['broker']}/0",
            **variables,
        }

    @property
    def environment(self) -> dict[str, str]:
        """Of a command beside the processes, such as manage.py."""
        return self._environment(self._service("live"))

    def __enter__(self) -> Self:
        try:
            self._start_redis("timelines")
            self._start_redis("broker")
            self._start_stores()
            self._migrate()
            for name in ORDER:
                self.begin(name)
            static = self._collect()
            for name in DOORS:
                self.wait(name)
            ports = {name: self._ports[name] for name in DOORS}
            self.front = self._exits.enter_context(front(self.directory, ports, static))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ours = [self._children.pop(name) for name in ORDER if name in self._children]
        stop(ours, grace_seconds=15)
        self._exits.close()
        stop(list(self._children.values()), grace_seconds=5)

    def begin(self, name: str) -> None:
        """Starts a process of the product, by its service's name."""
        service = self._service(name)
        number = self._starts[name] = self._starts.get(name, 0) + 1
        environment = self._environment(service)
        if metrics := environment.get("PROMETHEUS_MULTIPROC_DIR"):
            environment["PROMETHEUS_MULTIPROC_DIR"] = own = f"{self.directory}{metrics}.{name}.{number}"
            Path(own).mkdir()
        log = self.directory / f"{name}.{number}.log"
        self._children[name] = start(name, self._local(service, name), env=environment, cwd=ROOT, log=log)

    def wait(self, name: str) -> None:
        """Returns when its healthcheck says that it is well. Raises `CannotStart`."""
        child = self._children[name]
        log = self.directory / f"{name}.{self._starts[name]}.log"
        if not wait_until(lambda: child.ended() or self.is_well(name), seconds=READY_SECONDS) or child.ended():
            raise CannotStart(f"{name} does not get well; its log ends:\n{last_lines(log, 12)}")

    def is_well(self, name: str) -> bool:
        """What its healthcheck says; of a door the same without starting a Python."""
        if name in DOORS:
            return answers_200(f"http://{LOOPBACK}:{self._ports[name]}/healthz")
        service = self._service(name)
        test, environment = [self._placed(word, name) for word in service.healthcheck], self._environment(service)
        return subprocess.run(test, env=environment, cwd=ROOT, check=False, capture_output=True).returncode == 0

    def end(self, name: str) -> float | None:
        """Sends SIGTERM to the process alone, as an engine does, and returns its exit status; kills it when the
        container's time is over, which is noted."""
        child = self._children[name]
        os.kill(child.pid, signal.SIGTERM)
        if not wait_until(child.ended, seconds=self._service(name).grace_seconds):
            self.late.append(name)
            child.kill()
        return child.returncode

    def _service(self, name: str) -> Service:
        return services(self.variables)[name.removesuffix("-2") if name == "sweeper-2" else name]

    def _environment(self, service: Service) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        own = {"STORE": self._store, "DATA_DIR": str(self.directory / "data"), "PYTHONUNBUFFERED": "1"}
        return inherited | service.environment | own | {"PATH": path}

    def _local(self, service: Service, name: str) -> list[str]:
        """Its command, with the places of this machine."""
        return [self._placed(word, name) for word in service.command]

    def _placed(self, word: str, name: str) -> str:
        if name in DOORS:
            word = re_port(word, DOORS[name], self._ports[name])
        if word == "0.0.0.0":  # noqa: S104 - a container's
            return LOOPBACK
        places = {"worker@%h": f"worker@{name}", "$(hostname)": name, "/data": str(self.directory / "data")}
        for shipped, here in places.items():
            word = word.replace(shipped, here)
        return word

    def _start_redis(self, name: str) -> None:
        directory = self.directory / name
        directory.mkdir(mode=0o700)
        password = directory / "password.conf"
        password.write_text(f"requirepass {self.variables['REDIS_PASSWORD']}\n")
        program, configuration, *options = self._service(name).command
        assert (program, configuration) == ("redis-server", REDIS_CONFIGURATION)
        own = ["--bind", LOOPBACK, "--port", str(self._ports[name]), "--dir", str(directory)]
        argv = [str(binary()), str(password), *options, *own]
        self._children[name] = start(name, argv, log=directory / "log")

    def _start_stores(self) -> None:
        (self.directory / "data").mkdir(mode=0o700)
        if self._store == "embedded":
            self.variables["DATABASE_URL"] = f"sqlite:///{self.directory}/data/accounts.sqlite3"
            return
        bin_dir = programs()
        if bin_dir is None:
            raise CannotStart("PostgreSQL is not installed (Debian: postgresql)")
        self.variables["DATABASE_URL"] = self._exits.enter_context(running(bin_dir)).url
        search = self._exits.enter_context(OpenSearchNode(self.directory / "opensearch"))
        self.variables["SEARCH_URL"] = search.url()
        os.environ["JAVA_TOOL_OPTIONS"] = self._service("cassandra").environment["JVM_EXTRA_OPTS"]
        node = PasswordedNode(self.directory / "cassandra", heap_mb=HEAP_MB)
        self._exits.enter_context(node)
        self.variables |= {"CASSANDRA_HOSTS": node.host, "CASSANDRA_PORT": str(node.port)}

    def _migrate(self) -> None:
        service = self._service("migrate")
        command = service.command
        if self._store == "embedded":
            command = [*command[:-1], f"{command[-1]} && python manage.py migrate --noinput --database store"]
            service.environment["CASSANDRA_USER"] = ""
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment(service), capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode != 0:
            raise CannotStart(f"migrate failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def _collect(self) -> Path:
        """The files that the image of the front has."""
        static = self.directory / "static"
        environment = {**self.environment, "STATIC_ROOT": str(static)}
        subprocess.run(
            [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
            cwd=ROOT, env=environment, check=True, timeout=120,
        )  # fmt: skip
        return static


def re_port(word: str, shipped: int, here: int) -> str:
    """The port in place of the container's, by itself or in an address."""
    return str(here) if word == str(shipped) else word.replace(f":{shipped}/", f":{here}/")
