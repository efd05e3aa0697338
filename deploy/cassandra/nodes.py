"""Several Cassandra nodes on one machine, as one cluster: on 127.0.0.1, 127.0.0.2, … with the same ports.

For tests that lose a node. Linux answers on all of 127.0.0.0/8; elsewhere the addresses have to be added first.
"""

from pathlib import Path

from deploy.cassandra.node import CassandraNode, Member
from deploy.supervisor.ports import LOOPBACK, free_port

RING = 2**64
FIRST_TOKEN = -(2**63)


def cassandra_nodes(data_dir: Path, number: int, *, heap_mb: int) -> list[CassandraNode]:
    """Returns nodes that share the ring evenly, not started. Start them one after the other, the first one first."""
    port, storage_port = free_port(), free_port()
    hosts = [f"127.0.0.{place}" for place in range(1, number + 1)]
    return [
        CassandraNode(
            data_dir / f"node.{place}",
            port=port,
            heap_mb=heap_mb,
            commitlog_sync="periodic",
            member=Member(host, LOOPBACK, storage_port, FIRST_TOKEN + RING * place // number),
        )
        for place, host in enumerate(hosts)
    ]


def replicated(number: int) -> str:
    """Returns the replication of a keyspace of which `number` nodes have a copy."""
    return f"{{'class': 'SimpleStrategy', 'replication_factor': {number}}}"
