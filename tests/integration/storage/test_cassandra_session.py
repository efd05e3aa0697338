"""The session: one a process, forks and outages survived, every failure an `Unavailable`."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from cassandra import InvalidRequest, OperationTimedOut, ReadTimeout
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown
from cassandra.protocol import OverloadedErrorMessage
from django.conf import settings
from django.test import override_settings

from deploy.cassandra.node import CassandraNode
from storage.breakers import State
from storage.cassandra import session
from storage.cassandra.cluster import open_cluster
from storage.cassandra.leases import CassandraLeases
from storage.cassandra.session import Undecided
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from tests.backends import probes_by_hand
from tests.ids import new_id
from tests.threads import run_together

INSERT_LEVEL = "INSERT INTO edge_levels (target, kind, level) VALUES (?, ?, ?) USING TIMESTAMP ?"
SELECT_LEVEL = "SELECT level FROM edge_levels WHERE target = ? AND kind = 'k'"
needs_cassandra = pytest.mark.cassandra


@pytest.fixture
def no_session() -> Iterator[None]:
    """A process that has nothing open, before and after."""
    session.close()
    yield
    session.close()


def in_child(work: Callable[[], object]) -> bytes:
    """What `work` answers in a forked child that ends as usual, or the error."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, repr(work()).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    answer = os.read(reader, 10_000)
    os.close(reader)
    return answer


@needs_cassandra
def test_rows_come_back_in_the_order_of_the_statements(cassandra: None) -> None:
    targets = [new_id() for _ in range(300)]
    session.execute_many(INSERT_LEVEL, [(target, "k", place, 1) for place, target in enumerate(targets)])
    found = session.execute_many(SELECT_LEVEL, [(target,) for target in targets])
    assert found == [[(place,)] for place in range(300)]
    assert session.execute_many(SELECT_LEVEL, []) == []


@needs_cassandra
def test_every_page_is_read(cassandra: None) -> None:
    target = new_id()
    insert = "INSERT INTO edges_in (target, kind, bucket, source, op) VALUES (?, 'k', 0, ?, 1)"
    session.execute_many(insert, [(target, source) for source in range(1, 101)])
    rows = session.execute(
        "SELECT source FROM edges_in WHERE target = ? AND kind = 'k' AND bucket = 0", (target,), fetch_size=7
    )
    assert [source for (source,) in rows] == list(range(1, 101))


@needs_cassandra
def test_each_statement_of_a_batch_keeps_its_own_timestamp(cassandra: None) -> None:
    early, late = new_id(), new_id()
    session.batch([(INSERT_LEVEL, (early, "k", 1, 10)), (INSERT_LEVEL, (late, "k", 1, 20))])
    session.batch([(INSERT_LEVEL, (early, "k", 2, 15)), (INSERT_LEVEL, (late, "k", 2, 15))])
    assert session.execute_many(SELECT_LEVEL, [(early,), (late,)]) == [[(2,)], [(1,)]]


@needs_cassandra
def test_a_forked_child_opens_its_own_and_the_parent_s_goes_on(cassandra: None) -> None:
    target = new_id()
    session.execute(INSERT_LEVEL, (target, "k", 3, 1))
    assert in_child(lambda: session.execute(SELECT_LEVEL, (target,))) == b"[(3,)]"
    assert session.execute(SELECT_LEVEL, (target,)) == [(3,)]


@needs_cassandra
def test_a_fork_while_another_thread_connects_does_not_hang(cassandra: None, no_session: None) -> None:
    with session._process.lock:
        assert in_child(session.ping) == b"None"


@needs_cassandra
def test_threads_open_one_session(cassandra: None, no_session: None) -> None:
    run_together([session.ping] * 8)
    opened = session._process.open
    session.ping()
    assert session._process.open is opened


@needs_cassandra
def test_a_closed_session_is_opened_again(cassandra: None) -> None:
    session.ping()
    session.close()
    session.ping()


@needs_cassandra
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


@needs_cassandra
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


@pytest.mark.parametrize("happened", [True, False])
@needs_cassandra
def test_a_lease_whose_answer_was_lost_is_read_again(
    cassandra: None, monkeypatch: pytest.MonkeyPatch, happened: bool
) -> None:
    execute_if = session.execute_if
    lost: list[str] = []

    def losing_the_first_answer(cql: str, params: tuple[object, ...]) -> bool:
        if lost:
            return execute_if(cql, params)
        lost.append(cql)
        if happened:
            execute_if(cql, params)
        raise Undecided("cassandra")

    monkeypatch.setattr(session, "execute_if", losing_the_first_answer)
    owner, store = f"process-{new_id()}", CassandraLeases()
    lease = store.acquire(owner=owner, now_us=now_us(), length_us=60_000_000)
    holders = session.execute("SELECT worker, owner FROM worker_leases")
    assert [worker for worker, holder in holders if holder == owner] == [lease.worker]
    held = "SELECT owner, end_us FROM worker_leases WHERE worker = ?"
    assert session.execute(held, (lease.worker,)) == [(owner, lease.end_us)]
    lost.clear()
    renewed = store.renew(lease, now_us=now_us(), length_us=60_000_000)
    assert renewed is not None
    assert session.execute(held, (lease.worker,)) == [(owner, renewed.end_us)]
    assert (renewed.end_us > lease.end_us) is happened
    store.release(lease, used_us=lease.start_us)


@needs_cassandra
def test_errors_of_the_caller_stay_what_they_are(cassandra: None) -> None:
    with pytest.raises(InvalidRequest):
        session.execute("SELECT nothing FROM edges_out")


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


@needs_cassandra
def test_a_keyspace_that_is_not_there_is_unavailable(cassandra: None, no_session: None) -> None:
    with override_settings(CASSANDRA_KEYSPACE="never_made"), pytest.raises(Unavailable):
        session.ping()


@needs_cassandra
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
