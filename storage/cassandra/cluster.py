"""A cluster as the settings describe it: where it is, how it is asked, how long an answer is waited for."""

import ssl
from typing import Any

from cassandra import ConsistencyLevel
from cassandra import ProtocolVersion as Protocol
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.connection import ConnectionException
from cassandra.policies import (
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import tuple_factory
from django.conf import settings

HEARTBEAT_SECONDS = 2
"""An idle connection is probed this often, and given up when the probe takes as long: a node that hangs is known after
four seconds, also without a request."""
ASK_ANOTHER_SECONDS = 0.2
"""A node that has said nothing for so long is not waited for alone: another one is asked as well. Well above what a
busy node takes, so that a slow cluster is not asked everything twice."""
OTHERS_ASKED = 1
"""One is enough: of three nodes two are a quorum, and a slow cluster gets no three times the load."""
RECONNECT_SECONDS = (0.5, 2.0)
"""A node that is down is tried again after so long, growing to so much, and for as long as it
takes: by default the driver gives a node up for good after 64 attempts."""


Decision = tuple[int, int | None]


class AnotherNode(RetryPolicy):  # type: ignore[misc]
    """Whatever may be repeated is asked of one more node, when a node is lost or its replicas are late.

    Of a conditional statement (not idempotent) nothing is repeated that may have happened.
    """

    def on_read_timeout(self, query: Any, *_: Any, retry_num: int, **__: Any) -> Decision:
        return _once_more(query, retry_num)

    def on_write_timeout(self, query: Any, *_: Any, retry_num: int, **__: Any) -> Decision:
        return _once_more(query, retry_num)

    def on_request_error(self, query: Any, consistency: Any, error: Exception, retry_num: int) -> Decision:
        if isinstance(error, ConnectionException) and not _may_be_repeated(query):
            return self.RETHROW, None
        return self.RETRY_NEXT_HOST, None


def _once_more(query: Any, retry_num: int) -> Decision:
    again = retry_num == 0 and _may_be_repeated(query)
    return (RetryPolicy.RETRY_NEXT_HOST if again else RetryPolicy.RETHROW), None


def _may_be_repeated(query: Any) -> bool:
    """None is a statement that is being prepared."""
    return query is None or bool(query.is_idempotent)


def open_cluster(*, timeout_seconds: float | None = None, credentials: PlainTextAuthProvider | None = None) -> Cluster:
    """Returns an unconnected cluster under the settings; the caller connects it and shuts it down.

    The data centre is that of the first of CASSANDRA_HOSTS that answers: name only nodes of
    the process's own.
    """
    timeout = timeout_seconds or settings.CASSANDRA_TIMEOUT_SECONDS
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
        retry_policy=AnotherNode(),
        speculative_execution_policy=ConstantSpeculativeExecutionPolicy(ASK_ANOTHER_SECONDS, OTHERS_ASKED),
        consistency_level=ConsistencyLevel.name_to_value[settings.CASSANDRA_CONSISTENCY],
        serial_consistency_level=ConsistencyLevel.SERIAL,
        request_timeout=timeout,
        row_factory=tuple_factory,
    )
    user = settings.CASSANDRA_USER
    return Cluster(
        settings.CASSANDRA_HOSTS,
        port=settings.CASSANDRA_PORT,
        auth_provider=credentials or (PlainTextAuthProvider(user, settings.CASSANDRA_PASSWORD) if user else None),
        ssl_context=_tls(settings.CASSANDRA_TLS_CA),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        protocol_version=Protocol.V5,
        reconnection_policy=ExponentialReconnectionPolicy(*RECONNECT_SECONDS, max_attempts=None),
        connect_timeout=timeout,
        control_connection_timeout=timeout,
        idle_heartbeat_interval=HEARTBEAT_SECONDS,
        idle_heartbeat_timeout=min(timeout, HEARTBEAT_SECONDS),
        # A node that hangs would hold up whoever prepares; who asks another node first is told to prepare there.
        prepare_on_all_hosts=False,
    )


def _tls(authority: str) -> ssl.SSLContext | None:
    """What nodes have to show, signed by whom; not under which name, for they are reached by their addresses."""
    if not authority:
        return None
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False
    return context
