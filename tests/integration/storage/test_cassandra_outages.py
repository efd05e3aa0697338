"""The session in outages: survived, every failure an `Unavailable`, and tried again only where that is safe."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar
from unittest.mock import Mock, patch

import pytest
from cassandra import OperationTimedOut, ReadTimeout, WriteTimeout, WriteType
from cassandra import Unavailable as NoQuorum
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown
from cassandra.policies import RetryPolicy
from cassandra.protocol import OverloadedErrorMessage
from cassandra.query import SimpleStatement
from django.conf import settings
from django.test import override_settings

from deploy.cassandra.node import CassandraNode
from storage.breakers import State
from storage.cassandra import session
from storage.cassandra.cluster import AnotherNode, open_cluster
from storage.cassandra.failures import Undecided
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
        partial(session.write_all, [(INSERT_LEVEL, (1, "k", 1, 1))]),
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
        ask()
        opened = session._process.open
        os.kill(node.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            ask()
        assert time.monotonic() - started < 9, "the driver's own timeout is 10"
        os.kill(node.pid, signal.SIGCONT)
        answers_within(60)
        node.kill()
        with pytest.raises(Unavailable):
            ask()
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
LATE = WriteTimeout("two of three", write_type=WriteType.SIMPLE)


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

    def test_nor_is_one_that_was_slow_while_nobody_waited_for_it(self) -> None:
        """It was sent to be waited for later: its time began with that."""
        failed = Mock(result=Mock(side_effect=NoHostAvailable("none", {})))
        with patch.object(session, "_sent", return_value=failed):
            wait = session.execute_soon(SELECT_LEVEL, (new_id(),))
        time.sleep(0.6)
        with pytest.raises(Unavailable):
            wait()

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

    @pytest.mark.parametrize(
        "error",
        [
            NoHostAvailable("none", {"node": OVERLOADED}),
            NoHostAvailable("none", {"node": LATE, "other": ConnectionShutdown("lost")}),
            LATE,
            ReadTimeout("slow"),
            NoQuorum("one of two"),
        ],
        ids=repr,
    )
    def test_a_node_that_refuses_or_whose_replicas_do_not_answer_has_answered(self, error: Exception) -> None:
        for _ in range(5):
            with pytest.raises(Unavailable):
                session._answer(Asked(error, error))
        assert session.breaker.state is State.CLOSED

    @pytest.mark.parametrize("error", [OperationTimedOut(), ConnectionShutdown("lost")], ids=repr)
    def test_silence_opens_the_breaker(self, error: Exception) -> None:
        with probes_by_hand():
            for _ in range(session.FAILURES):
                with pytest.raises(Unavailable):
                    session._answer(Asked(error, error))
            assert session.breaker.state is not State.CLOSED

    @pytest.mark.parametrize("error", [LATE, ReadTimeout("slow")], ids=repr)
    def test_nothing_but_timeouts_of_replicas_opens_it_too_though_late(self, error: Exception) -> None:
        with probes_by_hand():
            for _ in range(2):
                self.fail(session.LATE_FAILURES - 1, error)
                assert session.breaker.state is State.CLOSED
                assert session._answer(Asked()) == "answered"
            self.fail(session.LATE_FAILURES - 1, error)
            with pytest.raises(Unavailable):
                session._answer(Asked(NoQuorum("one of two")))
            assert session.breaker.state is State.CLOSED, "that is refused at once, and says nothing of the others"
            self.fail(1, error)
            assert session.breaker.state is not State.CLOSED

    def fail(self, times: int, error: Exception) -> None:
        for _ in range(times):
            with pytest.raises(Unavailable):
                session._answer(Asked(error, error))


class TestAnotherNode:
    """What the driver asks another node about, within the time of one statement."""

    LATE: ClassVar = {"consistency": 6, "required_responses": 2, "received_responses": 1}

    @pytest.mark.parametrize("is_idempotent", [True, False])
    def test_of_what_may_have_happened_only_what_may_be_repeated(self, is_idempotent: bool) -> None:
        query = SimpleStatement("UPDATE", is_idempotent=is_idempotent)
        asked = [
            AnotherNode().on_write_timeout(query, write_type=WriteType.SIMPLE, retry_num=0, **self.LATE),
            AnotherNode().on_read_timeout(query, data_retrieved=False, retry_num=0, **self.LATE),
            AnotherNode().on_request_error(query, 6, error=ConnectionShutdown("lost"), retry_num=0),
        ]
        expected = RetryPolicy.RETRY_NEXT_HOST if is_idempotent else RetryPolicy.RETHROW
        assert [decision for decision, _ in asked] == [expected] * 3

    def test_what_took_its_time_is_asked_once_more_only(self) -> None:
        query = SimpleStatement("UPDATE", is_idempotent=True)
        again = AnotherNode().on_write_timeout(query, write_type=WriteType.SIMPLE, retry_num=1, **self.LATE)
        assert again == (RetryPolicy.RETHROW, None)

    def test_what_was_not_begun_is_asked_of_another_always(self) -> None:
        query = SimpleStatement("UPDATE … IF", is_idempotent=False)
        assert AnotherNode().on_request_error(query, 6, error=OVERLOADED, retry_num=0)[0] == RetryPolicy.RETRY_NEXT_HOST

    def test_a_node_that_says_nothing_is_not_waited_for_alone(self) -> None:
        profile = open_cluster().profile_manager.default
        plan = profile.speculative_execution_policy.new_plan("feed", None)
        assert 0 < plan.next_execution(None) < 1
        assert plan.next_execution(None) < 0, "one other, and no third"


@pytest.mark.cassandra
class TestTooFewReplicas:
    """Three are wanted and one is there: so it is for the rows of a quorum that is lost."""

    @pytest.fixture(autouse=True)
    def lost(self, cassandra: None, no_session: None) -> Iterator[None]:
        keyspace = settings.CASSANDRA_KEYSPACE
        change = f"ALTER KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': %s}}"
        session.ping()
        session.execute(change % 3)
        yield
        session.execute(change % 1)
        answers_within(60, session.ping)

    def test_the_store_does_not_count_as_answering(self) -> None:
        with pytest.raises(Unavailable):
            session.ping()
        assert session.breaker.state is State.CLOSED

    def test_what_is_written_is_refused_and_opens_nothing(self) -> None:
        for _ in range(5):
            with pytest.raises(Unavailable):
                session.write_all([(INSERT_LEVEL, (1, "k", 1, 1)), (INSERT_LEVEL, (2, "k", 1, 1))])
        assert session.breaker.state is State.CLOSED


def test_a_node_that_is_down_is_tried_every_two_seconds_for_ever() -> None:
    schedule = open_cluster().reconnection_policy.new_schedule()
    pauses = [next(schedule) for _ in range(500)]
    assert all(pause <= 2.0 * 1.2 for pause in pauses)


def ask() -> None:
    """Something of a node without the product's tables."""
    session.execute("SELECT release_version FROM local")


def answers_within(seconds: float, ask: Callable[[], None] = ask) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
