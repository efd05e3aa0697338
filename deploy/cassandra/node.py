"""A real Apache Cassandra node on loopback, without containers.

    with CassandraNode(data_dir=directory) as node:
        connect(node.host, node.port)

Any number of nodes may run side by side, each a cluster of its own with its own directory and
ports, or several as one cluster (`nodes.py`). The product (`STORE=cassandra make run`, `make cassandra`) and the
tests share it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Literal, Self

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from deploy.cassandra.installation import CACHE, install, java, why_unavailable
from deploy.errors import CannotStart
from deploy.supervisor.locks import try_lock
from deploy.supervisor.ports import LOOPBACK, free_port, is_free
from deploy.supervisor.processes import NO_HOOKS, Child, Hooks, last_lines, start, stop, wait_until

__all__ = ["CassandraNode", "Member", "why_unavailable"]

HERE = Path(__file__).parent
START_SECONDS = 120.0
"""About 10 s on a quiet laptop; a large commit log is replayed first."""
STOP_SECONDS = 6.0
"""It takes 3 s to flush; a batch commit log makes a kill safe too."""
COMMITLOG_SYNC = {
    "batch": "commitlog_sync: batch",
    "periodic": "commitlog_sync: periodic\ncommitlog_sync_period: 10s",
}
THROWAWAY = ["-Dcassandra.unsafesystem=true", "-Dcassandra.test.flush_local_schema_changes=false"]
"""Neither a change of schema nor a TRUNCATE waits until the node's own tables are on disk: making the product's tables
takes a fifth of the time."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node's place in a cluster of several: all have one storage port, on addresses of their own."""

    host: str
    seed: str
    storage_port: int
    token: int

    @property
    def joins(self) -> bool:
        return self.host != self.seed


class CassandraNode:
    """One node. `stop` or `kill`, then `start` again keeps its port and its data.

    `port=0` finds a free one. `commitlog_sync="batch"` makes an acknowledged write durable,
    "periodic" is faster. The heap is `heap_mb`; the process takes half as much again. As a `member` it
    is one node of several; the seed has to run when another one starts for the first time. A `throwaway`
    node changes its schema faster, and may not know its tables when it is started again. With a `jmx_port`
    `nodetool` reaches it there, over loopback: whoever may connect can run code as the node, so by default nobody can.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        heap_mb: int = 1024,
        commitlog_sync: Literal["batch", "periodic"] = "batch",
        cache: Path = CACHE,
        member: Member | None = None,
        throwaway: bool = False,
        jmx_port: int = 0,
    ) -> None:
        self.port = port
        self.host = member.host if member is not None else LOOPBACK
        self._member = member
        self.data_dir = Path(data_dir).absolute()
        self._heap_mb = heap_mb
        self._commitlog_sync = commitlog_sync
        self._cache = cache
        self._throwaway = throwaway
        self.jmx_port = jmx_port
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ValueError("the Cassandra node is not running")
        return self._child.pid

    @property
    def child(self) -> Child | None:
        return self._child

    @property
    def log(self) -> Path:
        return self.data_dir / "node.log"

    def start(self, hooks: Hooks = NO_HOOKS) -> Self:
        """Returns when it answers CQL. Raises `CannotStart`: no Java, no Maven for the first
        start, the port or the directory in use, or a node that gave up (with the end of its log)."""
        program, jars = java(), install(self._cache, hooks.while_waiting)
        self._choose_port()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._lock_directory()
        try:
            self.write_configuration()
            child = start("cassandra", self._argv(program, jars), cwd=self.data_dir, log=self.log, keep_open=[lock])
        finally:
            # The node's own copy keeps the lock for as long as it lives, whatever becomes of us.
            os.close(lock)
        self._child = child
        (self.data_dir / "node.pid").write_text(f"{child.pid}\n")
        hooks.started(child)
        self._wait(child, hooks)
        return self

    def stop(self) -> None:
        """Ends it in good order, killing it after some seconds; nothing to do when it is not running."""
        if self._child is not None:
            stop([self._child], grace_seconds=STOP_SECONDS)
            self._child = None

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _choose_port(self) -> None:
        if not self.port:
            self.port = free_port()
        elif not is_free(self.port, self.host):
            raise CannotStart(f"Port {self.port}, wanted for Cassandra, is taken by another process.")

    def _lock_directory(self) -> int:
        descriptor = os.open(self.data_dir / "node.lock", os.O_RDWR | os.O_CREAT, 0o644)
        if try_lock(descriptor):
            return descriptor
        os.close(descriptor)
        pid = last_lines(self.data_dir / "node.pid") or "unknown"
        raise CannotStart(f"{self.data_dir} belongs to a running Cassandra node (process {pid}).")

    def write_configuration(self) -> None:
        template = Template((HERE / "cassandra.yaml").read_text())
        member = self._member or Member(LOOPBACK, LOOPBACK, free_port(), 0)
        filled = template.substitute(
            directory=self.data_dir,
            host=member.host,
            seed=member.seed,
            bootstrap="false" if member.joins else "true",
            native_port=self.port,
            storage_port=member.storage_port,
            commitlog_sync=COMMITLOG_SYNC[self._commitlog_sync],
        )
        (self.data_dir / "cassandra.yaml").write_text(filled)

    def _argv(self, program: str, jars: Path) -> list[str]:
        jamm = next(jars.glob("jamm-*.jar"))
        return [
            program,
            f"-Xms{self._heap_mb}M",
            f"-Xmx{self._heap_mb}M",
            f"-javaagent:{jamm}",
            *jvm_options(),
            *(THROWAWAY if self._throwaway else []),
            f"-Dcassandra.initial_token={self._member.token if self._member is not None else 0}",
            *([f"-Dcassandra.jmx.local.port={self.jmx_port}"] if self.jmx_port else []),
            f"-Dcassandra.config={(self.data_dir / 'cassandra.yaml').as_uri()}",
            f"-Dcassandra.storagedir={self.data_dir}",
            f"-Dlogback.configurationFile={HERE / 'logback.xml'}",
            f"-Djava.io.tmpdir={self._temporary_directory()}",
            "-cp",
            f"{jars}/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def _temporary_directory(self) -> Path:
        """Of its own: native libraries are unpacked there and left behind by a kill."""
        directory = self.data_dir / "tmp"
        directory.mkdir(exist_ok=True)
        return directory

    def _wait(self, child: Child, hooks: Hooks) -> None:
        try:
            wait_until(lambda: child.ended() or self._ready(), seconds=START_SECONDS, while_waiting=hooks.while_waiting)
            if child.ended() or not self._ready():
                raise CannotStart(f"Cassandra did not start; {self.log} ends:\n{last_lines(self.log, 8)}")
        except BaseException:
            self.kill()
            raise

    def _ready(self) -> bool:
        """An open port is not enough: the node takes connections before it serves."""
        return "Startup complete" in self.log.read_text(errors="replace") and answers_cql(self.host, self.port)


def jvm_options() -> list[str]:
    lines = (HERE / "jvm.options").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def answers_cql(host: str, port: int) -> bool:
    """Returns whether a query there succeeds within a few seconds."""
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([host]), request_timeout=5)
    cluster = Cluster(
        [host],
        port=port,
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        # The driver's own is 2 s, which a node that has just come back to a busy cluster may take.
        control_connection_timeout=10,
    )
    try:
        return cluster.connect().execute("SELECT release_version FROM system.local").one() is not None
    except Exception:  # The driver's errors share no parent; whatever it is, the node does not serve yet.
        return False
    finally:
        cluster.shutdown()
