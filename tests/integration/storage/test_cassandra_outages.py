"""The session in outages: survived, every failure an `Unavailable`, and tried again only where that is safe."""

import os
import signal
import socket
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from cassandra import OperationTimedOut, ReadTimeout
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown
from cassandra.protocol import OverloadedErrorMessage
from django.conf import settings
from django.test import override_settings

from deploy.cassandra.node import CassandraNode
from storage.breakers import State
from storage.cassandra import session
from storage.cassandra.cluster import open_cluster
from storage.cassandra.session import Undecided
from storage.errors import Unavailable
from tests.backends import probes_by_hand
from tests.ids import new_id
from tests.integration.storage.statements import INSERT_LEVEL, SELECT_LEVEL


@pytest.mark.cassandra
def test_a_statement_that_takes_too_long_is_unavailable(cassandra: None, no_session: None) -> None:
    session.ping()
    opened = session._process.open
    assert opened is not None
    opened.cluster.profile_manager.default.request_timeout = 0.000_001
    for call in (
        partial(session.execute, SELECT_LEVEL, (1,)),
        partial(session.execute_many, SELECT_LEVEL, [(1,)]),
        partial(session.batch, [(INSERT_LEVEL, (1, "k", 1, 1))]),
        partial(session.read_serial, SELECT_LEVEL, (1,)),
    ):
        with pytest.raises(Unavailable) as refused:
            call()
        assert refused.value.backend == "cassandra"


@pytest.mark.cassandra
def test_a_conditional_write_that_takes_too_long_is_undecided(cassandra: None, no_session: None) -> None:
    insert = "INSERT INTO worker_leases (worker, owner, end_us) VALUES (?, 'x', 1) IF NOT EXISTS"
    worker = -(new_id() % 1_000_000)
    assert session.execute_if(insert, (worker,)) is True
    assert session.execute_if(insert, (worker,)) is False
    opened = session._process.open
    assert opened is not None
    opened.cluster.profile_manager.default.request_timeout = 0.000_001
    with pytest.raises(Undecided):
        session.execute_if(insert, (worker,))


@override_settings(CASSANDRA_HOSTS=["127.0.0.1"], CASSANDRA_PORT=1)
def test_a_refused_connection_is_unavailable_and_then_fails_at_once(
    no_session: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RECONNECT_PAUSE_SECONDS", 600.0)
    with pytest.raises(Unavailable):
        session.ping()
    with patch.object(session, "open_cluster") as opened:
        for _ in range(50):
            with pytest.raises(Unavailable):
                session.ping()
    opened.assert_not_called()


def test_a_server_that_accepts_and_never_answers_is_unavailable_in_time(no_session: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with override_settings(CASSANDRA_HOSTS=["127.0.0.1"], CASSANDRA_PORT=port, CASSANDRA_TIMEOUT_SECONDS=0.5):
            started = time.monotonic()
            with pytest.raises(Unavailable):
                session.ping()
            assert time.monotonic() - started < settings.ENV.cassandra_timeout_seconds


@pytest.mark.cassandra
def test_a_keyspace_that_is_not_there_is_unavailable(cassandra: None, no_session: None) -> None:
    with override_settings(CASSANDRA_KEYSPACE="never_made"), pytest.raises(Unavailable):
        session.ping()


@pytest.mark.cassandra
def test_the_session_outlives_a_node_that_hangs_dies_and_comes_back(no_session: None, tmp_path: Path) -> None:
    """Its own node, so that the others' stays up. Nothing is reopened by hand."""
    with (
        CassandraNode(data_dir=tmp_path, commitlog_sync="periodic", heap_mb=512) as node,
        override_settings(
            CASSANDRA_HOSTS=[node.host],
            CASSANDRA_PORT=node.port,
            CASSANDRA_KEYSPACE="system",
            CASSANDRA_TIMEOUT_SECONDS=2.0,
        ),
    ):
        session.ping()
        opened = session._process.open
        os.kill(node.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            session.ping()
        assert time.monotonic() - started < 9, "the driver's own timeout is 10"
        os.kill(node.pid, signal.SIGCONT)
        answers_within(60)
        node.kill()
        with pytest.raises(Unavailable):
            session.ping()
        node.start()
        answers_within(60)
        assert session._process.open is opened


class Asked:
    """Fails with each of `errors` in turn, and then answers; knows how often it was asked."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.times = 0

    def __call__(self, _: object) -> str:
        self.times += 1
        if self._errors:
            raise self._errors.pop(0)
        return "answered"


@pytest.fixture
def nothing_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_opened", lambda: None)


OVERLOADED = OverloadedErrorMessage(0x1001, "overloaded", None)


@pytest.mark.usefixtures("nothing_opened")
class TestTryingAgain:
    @pytest.mark.parametrize("error", [NoHostAvailable("none", {}), ConnectionShutdown("lost"), OVERLOADED], ids=repr)
    def test_what_failed_at_once_is_tried_once_more(self, error: Exception) -> None:
        asked = Asked(error)
        assert session._answer(asked) == "answered"
        assert asked.times == 2
        asked = Asked(error, error)
        with pytest.raises(Unavailable):
            session._answer(asked)
        assert asked.times == 2

    @pytest.mark.parametrize("error", [OperationTimedOut(), ReadTimeout("slow")], ids=repr)
    def test_what_took_its_timeout_is_not(self, error: Exception) -> None:
        asked = Asked(error)
        with pytest.raises(Unavailable):
            session._answer(asked)
        assert asked.times == 1

    def test_a_failure_that_was_slow_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection that hung until its timeout, too, ends as no host available."""
        asked = Asked(NoHostAvailable("none", {}))

        def slowly(opened: object) -> str:
            time.sleep(0.6)
            return asked(opened)

        with pytest.raises(Unavailable):
            session._answer(slowly)
        assert asked.times == 1

    def test_a_conditional_write_is_not(self) -> None:
        asked = Asked(ConnectionShutdown("lost"))
        with pytest.raises(Unavailable):
            session._answer(asked, repeatable=False)
        assert asked.times == 1

    def test_nothing_is_while_the_breaker_is_open(self) -> None:
        with probes_by_hand():
            silent = Asked(*[NoHostAvailable("none", {})] * 9)
            while session.breaker.state is State.CLOSED:
                with pytest.raises(Unavailable):
                    session._answer(silent)
            assert silent.times <= session.FAILURES + 1
            asked = Asked()
            with pytest.raises(Unavailable):
                session._answer(asked)
            assert asked.times == 0

    def test_nodes_that_are_overloaded_have_answered(self) -> None:
        for _ in range(5):
            with pytest.raises(Unavailable):
                session._answer(Asked(*[NoHostAvailable("none", {"node": OVERLOADED})] * 2))
        assert session.breaker.state is State.CLOSED


def test_a_node_that_is_down_is_tried_every_two_seconds_for_ever() -> None:
    schedule = open_cluster().reconnection_policy.new_schedule()
    pauses = [next(schedule) for _ in range(500)]
    assert all(pause <= 2.0 * 1.2 for pause in pauses)


def answers_within(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return session.ping()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
