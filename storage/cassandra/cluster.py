"""A cluster as the settings describe it: where it is, how it is asked, how long an answer is waited for."""

from cassandra import ConsistencyLevel
from cassandra import ProtocolVersion as Protocol
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, RetryPolicy, TokenAwarePolicy
from cassandra.query import tuple_factory
from django.conf import settings

HEARTBEAT_SECONDS = 5
"""An idle connection is probed this often, so that a hung node is noticed without a request."""
RECONNECT_SECONDS = (0.5, 2.0)
"""A node that is down is tried again after so long, growing to so much, and for as long as it
takes: by default the driver gives a node up for good after 64 attempts."""


def open_cluster(*, timeout_seconds: float | None = None) -> Cluster:
    """Returns an unconnected cluster under the settings; the caller connects it and shuts it down.

    The data centre is that of the first of CASSANDRA_HOSTS that answers: name only nodes of
    the process's own.
    """
    timeout = timeout_seconds or settings.CASSANDRA_TIMEOUT_SECONDS
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
        retry_policy=RetryPolicy(),
        consistency_level=ConsistencyLevel.name_to_value[settings.CASSANDRA_CONSISTENCY],
        serial_consistency_level=ConsistencyLevel.SERIAL,
        request_timeout=timeout,
        row_factory=tuple_factory,
    )
    user = settings.CASSANDRA_USER
    return Cluster(
        settings.CASSANDRA_HOSTS,
        port=settings.CASSANDRA_PORT,
        auth_provider=PlainTextAuthProvider(user, settings.CASSANDRA_PASSWORD) if user else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        protocol_version=Protocol.V5,
        reconnection_policy=ExponentialReconnectionPolicy(*RECONNECT_SECONDS, max_attempts=None),
        connect_timeout=timeout,
        control_connection_timeout=timeout,
        idle_heartbeat_interval=HEARTBEAT_SECONDS,
        idle_heartbeat_timeout=timeout,
    )
