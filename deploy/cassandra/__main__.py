"""`make cassandra`: a node in the foreground, in DATA_DIR/cassandra, until Ctrl-C.

With JMX_PORT `nodetool` reaches it there, over loopback (deploy/cassandra/backups.py); not otherwise.
`--end-with-parent` ends it, too, when make is told to end, or dies. `--check` only says whether
the Cassandra tests can run here, loudly when not; with CI=true that they cannot is a failure.
"""

import os
import signal
import sys
from pathlib import Path

from deploy.cassandra.node import CassandraNode, why_unavailable
from deploy.errors import CannotStart
from deploy.supervisor.ports import is_free
from deploy.supervisor.privacy import PRIVATE_UMASK, make_private
from deploy.supervisor.processes import Hooks, wait_until
from deploy.supervisor.stopping import Parent, Stopping, StopRequest

USUAL_PORT = 9042


def serve() -> int:
    os.umask(PRIVATE_UMASK)
    request = StopRequest(Parent() if "--end-with-parent" in sys.argv else None)
    request.catch_signals(signal.SIGINT, signal.SIGTERM)
    data_dir = Path(os.environ.get("DATA_DIR", "data")) / "cassandra"
    port = int(os.environ.get("CASSANDRA_PORT", USUAL_PORT if is_free(USUAL_PORT) else 0))
    node = CassandraNode(data_dir, port=port, jmx_port=int(os.environ.get("JMX_PORT") or 0))
    try:
        make_private(data_dir)
        print("Starting Cassandra; its jars are fetched the first time …", flush=True)
        node.start(Hooks(while_waiting=request.raise_if_asked))
        print(f"Cassandra is ready. In another terminal:\n{_how_to_use(node)}\nCtrl-C ends it.", flush=True)
        return _until_it_ends(node, request)
    except Stopping:
        return 0
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        node.stop()


def _how_to_use(node: CassandraNode) -> str:
    return f"CASSANDRA_HOSTS={node.host} CASSANDRA_PORT={node.port} STORE=cassandra make run"


def _until_it_ends(node: CassandraNode, request: StopRequest) -> int:
    child = node.child
    if child is not None:
        wait_until(child.ended, seconds=float("inf"), while_waiting=request.raise_if_asked)
    print(f"Cassandra has ended by itself; see {node.log}", file=sys.stderr)
    return 1


def check() -> int:
    """Returns 0 when the tests that need Cassandra can run, or may be skipped."""
    reason = None if os.environ.get("CASSANDRA_HOSTS") else why_unavailable()
    if reason is None:
        return 0
    print(f"\n*** TESTS WITH A REAL CASSANDRA ARE SKIPPED. {reason} ***\n", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else serve())
