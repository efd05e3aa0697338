"""A real Apache Cassandra node on loopback, without containers.

    with CassandraNode(data_dir=directory) as node:
        connect(node.host, node.port)

Any number of nodes may run side by side, each a cluster of its own with its own directory and
ports, or several as one cluster (`nodes.py`). The product (`STORE=cassandra make run`, `make cassandra`) and the
tests share it.
"""

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from deploy.cassandra.installation import CASSANDRA, why_unavailable
from deploy.node import START_SECONDS, JavaNode, options_in
from deploy.supervisor.ports import LOOPBACK, free_port

__all__ = ["START_SECONDS", "CassandraNode", "Member", "why_unavailable"]

HERE = Path(__file__).parent
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


class CassandraNode(JavaNode):
    """One node. `commitlog_sync="batch"` makes an acknowledged write durable,
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
        cache: Path | None = None,
        member: Member | None = None,
        throwaway: bool = False,
        jmx_port: int = 0,
    ) -> None:
        host = member.host if member is not None else LOOPBACK
        super().__init__(CASSANDRA, data_dir, port=port, host=host, cache=cache)
        self._member = member
        self._heap_mb = heap_mb
        self._commitlog_sync = commitlog_sync
        self._throwaway = throwaway
        self.jmx_port = jmx_port

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
            f"-Djava.io.tmpdir={self.temporary_directory()}",
            "-cp",
            f"{jars}/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def _ready(self) -> bool:
        """An open port is not enough: the node takes connections before it serves."""
        return "Startup complete" in self.log.read_text(errors="replace") and answers_cql(self.host, self.port)


def jvm_options() -> list[str]:
    return options_in(HERE / "jvm.options")


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
