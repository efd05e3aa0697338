"""Starts a plan's servers and processes, watches them, and ends every one of them.

Promises, whatever happens and whenever a signal arrives: nothing that was started is left
when `run` returns; processes are ended before the servers that they use, and those in the
reverse order of their start.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.errors import CannotStart
from deploy.supervisor.health import answers_200
from deploy.supervisor.output import Output
from deploy.supervisor.processes import Child, Hooks, start, stop, wait_until
from deploy.supervisor.records import Records
from deploy.supervisor.stopping import Stopping, StopRequest

READY_SECONDS = 60.0
LOOK_SECONDS = 0.1


class Server(Protocol):
    """A server that the processes use: a Valkey, a Cassandra node."""

    @property
    def child(self) -> Child | None: ...
    def start(self, hooks: Hooks) -> object: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Backend:
    name: str
    server: Server
    variables: Callable[[], Mapping[str, str]]
    """What the processes find in their environment once the server runs."""


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    argv: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    backends: Sequence[Backend]
    """Started one after the other."""
    preparations: Sequence[Command]
    """Run side by side to their end; each has to succeed."""
    processes: Sequence[Command]
    """Started together; none may end."""
    ready_url: str
    """Answers 200 when everything serves."""
    ready_sentence: str
    addresses: Sequence[str] = ()
    """Variables that a command beside the run needs, too."""
    grace_seconds: float = 7.0
    """From the request to end until the kill: the web process gives open requests 5 s, a worker finishes its task."""


class Runner:
    """One run of a plan. `cwd` and `env` are the processes'."""

    def __init__(
        self, plan: Plan, *, cwd: Path, env: Mapping[str, str], records: Records, request: StopRequest, output: Output
    ) -> None:
        self._plan = plan
        self._cwd = cwd
        self._env = dict(env)
        self._records = records
        self._request = request
        self._output = output
        self._children: list[Child] = []
        self._begun: list[Backend] = []

    def run(self) -> int:
        """Returns the exit status: 0 when asked to stop. Raises `CannotStart`, also when a process ends by itself."""
        try:
            self._start_backends()
            self._prepare()
            self._begin(self._plan.processes)
            self._wait_until_ready()
            self._watch_for_ever()
        except Stopping:
            self._output.say(f"Ending everything, as asked by {self._request.reason} …")
        finally:
            self._end_everything()
        self._output.say("Everything has ended.")
        return 0

    def _start_backends(self) -> None:
        hooks = Hooks(started=lambda child: self._records.add(child.name, child.pid), while_waiting=self._tick)
        for backend in self._plan.backends:
            self._tick()
            self._output.say(f"Starting {backend.name} …")
            self._begun.append(backend)
            backend.server.start(hooks)
            self._env |= backend.variables()
        self._records.note_addresses({name: self._env[name] for name in self._plan.addresses if name in self._env})

    def _prepare(self) -> None:
        preparing = self._begin(self._plan.preparations)
        while running := [child for child in preparing if not child.ended()]:
            self._tick(LOOK_SECONDS)
            self._refuse_failed([child for child in preparing if child not in running])
        self._refuse_failed(preparing)
        self._output.pump()
        self._children.clear()

    def _refuse_failed(self, ended: Sequence[Child]) -> None:
        for child in ended:
            if child.returncode != 0:
                self._output.pump()
                raise CannotStart(f"{child.name} failed (exit status {child.returncode}); see its lines above.")

    def _begin(self, commands: Sequence[Command]) -> list[Child]:
        self._output.say(f"Starting {', '.join(command.name for command in commands)} …")
        return [self._start(command) for command in commands]

    def _start(self, command: Command) -> Child:
        self._tick()
        child = start(command.name, command.argv, env=self._env, cwd=self._cwd)
        self._children.append(child)
        self._records.add(child.name, child.pid)
        self._output.follow(child)
        return child

    def _wait_until_ready(self) -> None:
        if wait_until(self._ready, seconds=READY_SECONDS, while_waiting=self._watch):
            self._output.say(f"\n{self._plan.ready_sentence}\n")
        else:
            self._output.say(f"{self._plan.ready_url} has not answered 200 for {READY_SECONDS:.0f} s; see above.")

    def _watch_for_ever(self) -> None:
        while True:
            self._watch(LOOK_SECONDS)

    def _ready(self) -> bool:
        return answers_200(self._plan.ready_url)

    def _watch(self, seconds: float = 0.0) -> None:
        """Raises `CannotStart` when a process or a server has ended by itself."""
        self._tick(seconds)
        servers = [backend.server.child for backend in self._begun]
        for child in [*self._children, *servers]:
            if child is not None and child.ended():
                self._output.pump()
                raise CannotStart(
                    f"{child.name} has ended by itself (exit status {child.returncode}), and the run with it."
                )

    def _tick(self, seconds: float = 0.0) -> None:
        self._output.pump(seconds)
        self._request.raise_if_asked()

    def _end_everything(self) -> None:
        grace = self._plan.grace_seconds
        for child in stop(self._children, grace_seconds=grace, while_waiting=self._output.pump):
            self._output.say(f"{child.name} did not end in {grace:.0f} s and was killed.")
        for backend in reversed(self._begun):
            backend.server.stop()
        self._records.clear()
