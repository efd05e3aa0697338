"""The stack under measurement: production's processes, apart, on servers of its own.

Web is granian below config/web.py, workers are solo Celery workers, as in docker-compose.yml; servers,
preparations, workers and beat are those of deploy/plan.py. Settings are the defaults, rate
limits included, unless the bench says otherwise. Logs go to files, as JSON, as in production.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from bench import cpu
from deploy.errors import CannotStart
from deploy.plan import ADDRESSES, ROOT, Options, environment, product
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, Hooks, last_lines, start, stop, wait_until
from deploy.supervisor.runner import Backend, Command

PRODUCT = "config.wsgi:application"
READY_SECONDS = 90.0
GRACE_SECONDS = 7.0
FOREIGN = {*ADDRESSES, "DATABASE_URL", "SEARCH_URL", "PORT", "HOST", "RATE_LIMITS", "DEBUG", "ENVIRONMENT"}
"""What the surrounding shell points at is not ours to load."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the product runs."""

    web: int = 0
    """Processes of the web server; 0 for none."""
    workers: int = 0
    """As `make run` has them: every odd one takes small orders first, every even one bulk."""
    workers_nice: int = 0
    """By how much workers give way to what shares the machine with them here, and not in production."""
    beat: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    """Settings that differ from the defaults."""


class Stack:
    """A context: servers and processes are up within it, and `env` says where.

    All of it belongs to the main thread: a child dies with the thread that started it.
    """

    def __init__(self, store: str, size: Size) -> None:
        self._temporary = TemporaryDirectory(prefix="bench-")
        self.directory = Path(self._temporary.name)
        self.size = size
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        options = Options(host=LOOPBACK, port=port, data_dir=self.directory, store=store)
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        self.env = environment(options, inherited) | {"LOG_FORMAT": "json", **size.env}
        self.servers: dict[str, Any] = {}
        self._plan = product(options, {})
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        try:
            for backend in self._plan.backends:
                self._start_backend(backend)
            self._prepare()
            for command in self._commands():
                self._children[command.name] = child = self.start(command)
                if command.name.startswith("worker") and self.size.workers_nice:
                    cpu.lower(child.pid, self.size.workers_nice)
            if self.size.web and not self._serves():
                raise CannotStart(f"web does not serve:\n{last_lines(self.directory / 'web.log')}")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(list(self._children.values()), grace_seconds=GRACE_SECONDS)
        for server in reversed(self.servers.values()):
            server.stop()
        self._temporary.cleanup()

    def start(self, command: Command, env: Mapping[str, str] | None = None) -> Child:
        """Another process with the stack's environment; the caller ends it."""
        log = self.directory / f"{command.name}.log"
        return start(command.name, command.argv, env={**self.env, **(env or {})}, cwd=ROOT, log=log)

    def pids(self) -> dict[str, int]:
        """The processes by name, servers included; web is the one that the others were forked from."""
        servers = {name: server.child.pid for name, server in self.servers.items() if server.child is not None}
        return servers | {name: child.pid for name, child in self._children.items()}

    def _start_backend(self, backend: Backend) -> None:
        backend.server.start(Hooks())
        variables = backend.variables()
        self.env |= variables
        self.servers[next(iter(variables)).split("_")[0].lower()] = backend.server

    def _prepare(self) -> None:
        children = {each.name: self.start(each) for each in self._plan.preparations}
        if not wait_until(lambda: all(child.ended() for child in children.values()), seconds=READY_SECONDS):
            raise CannotStart("The preparations do not end.")
        for name, child in children.items():
            if child.returncode != 0:
                raise CannotStart(f"{name} failed:\n{last_lines(self.directory / f'{name}.log')}")

    def _commands(self) -> list[Command]:
        found = [web_command(self.url, PRODUCT, self.size.web)] if self.size.web else []
        workers = {each.name: each for each in self._plan.processes if each.name.startswith("worker")}
        for number in range(1, self.size.workers + 1):
            like = workers[f"worker.{(number - 1) % 2 + 1}"]
            argv = [f"worker{number}@%h" if part.startswith("worker") and "@" in part else part for part in like.argv]
            found.append(Command(f"worker.{number}", argv))
        return found + [each for each in self._plan.processes if each.name == "beat" and self.size.beat]

    def _serves(self) -> bool:
        web = self._children["web"]
        wait_until(lambda: web.ended() or answers_200(f"{self.url}/readyz"), seconds=READY_SECONDS)
        return not web.ended() and answers_200(f"{self.url}/readyz")


def web_command(url: str, application: str, processes: int, *, name: str = "web") -> Command:
    """Production's web server; references, which know none of the product, are served by granian's own for WSGI."""
    if application == PRODUCT:
        argv = [sys.executable, "-m", "config.web", "--threads", "4"]
    else:
        argv = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--blocking-threads", "4"]
    size = ["--log-level", "warning", "--workers", str(processes)]
    return Command(name, [*argv, "--host", LOOPBACK, "--port", url.rpartition(":")[2], *size, application])
