"""The session: one a process, forks survived, rows and timestamps as they were asked for."""

import os
from collections.abc import Callable

import pytest
from cassandra import InvalidRequest

from deploy.supervisor.processes import wait_until
from storage.cassandra import session
from storage.cassandra.failures import Undecided
from storage.cassandra.leases import CassandraLeases
from storage.ids.snowflakes import now_us
from tests.ids import new_id
from tests.integration.storage.statements import INSERT_LEVEL, SELECT_LEVEL
from tests.threads import run_together


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


@pytest.mark.cassandra
def test_rows_come_back_in_the_order_of_the_statements(cassandra: None) -> None:
    targets = [new_id() for _ in range(300)]
    session.execute_many(INSERT_LEVEL, [(target, "k", place, 1) for place, target in enumerate(targets)])
    found = session.execute_many(SELECT_LEVEL, [(target,) for target in targets])
    assert found == [[(place,)] for place in range(300)]
    assert session.execute_many(SELECT_LEVEL, []) == []


@pytest.mark.cassandra
def test_every_page_is_read(cassandra: None) -> None:
    target = new_id()
    insert = "INSERT INTO edges_in (target, kind, bucket, source, op) VALUES (?, 'k', 0, ?, 1)"
    session.execute_many(insert, [(target, source) for source in range(1, 101)])
    rows = session.execute(
        "SELECT source FROM edges_in WHERE target = ? AND kind = 'k' AND bucket = 0", (target,), fetch_size=7
    )
    assert [source for (source,) in rows] == list(range(1, 101))


@pytest.mark.cassandra
def test_a_write_that_is_not_waited_for_arrives(cassandra: None) -> None:
    target = new_id()
    session.ping()
    session.write_unwaited(INSERT_LEVEL, (target, "k", 1, 10))
    assert wait_until(lambda: session.execute(SELECT_LEVEL, (target,)) == [(1,)], seconds=60)


@pytest.mark.cassandra
def test_more_than_one_request_takes_are_all_written(cassandra: None) -> None:
    targets = [new_id() for _ in range(3 * session.TOGETHER + 1)]
    session.write_all([(INSERT_LEVEL, (target, "k", 1, 10)) for target in targets])
    assert session.execute_many(SELECT_LEVEL, [(target,) for target in targets]) == [[(1,)]] * len(targets)


@pytest.mark.cassandra
def test_each_statement_of_several_keeps_its_own_timestamp(cassandra: None) -> None:
    early, late = new_id(), new_id()
    session.write_all([(INSERT_LEVEL, (early, "k", 1, 10)), (INSERT_LEVEL, (late, "k", 1, 20))])
    session.write_all([(INSERT_LEVEL, (early, "k", 2, 15)), (INSERT_LEVEL, (late, "k", 2, 15))])
    assert session.execute_many(SELECT_LEVEL, [(early,), (late,)]) == [[(2,)], [(1,)]]


@pytest.mark.cassandra
def test_a_forked_child_opens_its_own_and_the_parent_s_goes_on(cassandra: None) -> None:
    target = new_id()
    session.execute(INSERT_LEVEL, (target, "k", 3, 1))
    assert in_child(lambda: session.execute(SELECT_LEVEL, (target,))) == b"[(3,)]"
    assert session.execute(SELECT_LEVEL, (target,)) == [(3,)]


@pytest.mark.cassandra
def test_a_fork_while_another_thread_connects_does_not_hang(cassandra: None, no_session: None) -> None:
    with session._process.lock:
        assert in_child(session.ping) == b"None"


@pytest.mark.cassandra
def test_threads_open_one_session(cassandra: None, no_session: None) -> None:
    run_together([session.ping] * 8)
    opened = session._process.open
    session.ping()
    assert session._process.open is opened


@pytest.mark.cassandra
def test_a_closed_session_is_opened_again(cassandra: None) -> None:
    session.ping()
    session.close()
    session.ping()


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.cassandra
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


@pytest.mark.cassandra
def test_errors_of_the_caller_stay_what_they_are(cassandra: None) -> None:
    with pytest.raises(InvalidRequest):
        session.execute("SELECT nothing FROM edges_out")
