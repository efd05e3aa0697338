"""`make cassandra`: a node in the foreground, in DATA_DIR/cassandra, until Ctrl-C (deploy/foreground.py).

With JMX_PORT `nodetool` reaches it there, over loopback (deploy/cassandra/backups.py); not otherwise.
`--check` only says whether the Cassandra tests can run here.
"""

import os
import sys
from pathlib import Path

from deploy.cassandra.node import CassandraNode, why_unavailable
from deploy.foreground import say_whether_tests_run, serve
from deploy.supervisor.ports import is_free

USUAL_PORT = 9042


def run() -> int:
    data_dir = Path(os.environ.get("DATA_DIR", "data")) / "cassandra"
    port = int(os.environ.get("CASSANDRA_PORT", USUAL_PORT if is_free(USUAL_PORT) else 0))
    node = CassandraNode(data_dir, port=port, jmx_port=int(os.environ.get("JMX_PORT") or 0))
    return serve(node, lambda: f"CASSANDRA_HOSTS={node.host} CASSANDRA_PORT={node.port} STORE=cassandra make run")


def check() -> int:
    """Returns 0 when the tests that need Cassandra can run, or may be skipped."""
    return say_whether_tests_run("Cassandra", None if os.environ.get("CASSANDRA_HOSTS") else why_unavailable())


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else run())
