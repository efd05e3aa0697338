"""Forking: a child begins with nothing of its parent's, whatever the parent's other threads were at."""

import gc
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from fanout.orders.dispatch import Dispatcher
from storage import process
from storage.breakers import Breaker, State
from storage.cassandra import session
from storage.cassandra.session import Opened
from storage.embedded.write_lock import WriteLock
from storage.ids.leases import Lease
from storage.ids.snowflakes import IdGenerator
from storage.ports.outbox import Order
from storage.process import start_anew_after_fork
from storage.redis.deferred_writes import DeferredWrites
from storage.redis.node import RedisNode

STUCK_SECONDS = 10


def holds_in_child(says: Callable[[], bool]) -> bool:
    """Whether `says` answers yes in a forked child, in time and without an error."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(STUCK_SECONDS)
            os._exit(0 if says() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def is_free(lock: Any) -> bool:
    return bool(lock.acquire(timeout=1))


class Registered:
    def __init__(self) -> None:
        self.anew = 0
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        self.anew += 1


class OneLease:
    """Worker numbers for as long as anybody likes."""

    def acquire(self, *, owner: str, now_us: int, length_us: int) -> Lease:
        return Lease(1, owner, now_us, now_us + length_us)

    def renew(self, lease: Lease, *, now_us: int, length_us: int) -> Lease | None:
        return lease

    def release(self, lease: Lease, *, used_us: int) -> None:
        pass


def test_each_child_starts_anew_and_its_parent_does_not() -> None:
    registered = Registered()
    assert holds_in_child(lambda: registered.anew == 1 and holds_in_child(lambda: registered.anew == 2))
    assert registered.anew == 0


def test_what_is_gone_is_not_kept_for_it() -> None:
    gc.collect()
    before = len(process._registered)
    registered = Registered()
    assert len(process._registered) == before + 1
    del registered
    gc.collect()
    assert len(process._registered) == before


def test_a_breaker_is_closed() -> None:
    breaker = Breaker("backend", probe=lambda: None, silent=lambda _: True, failures=1)
    breaker._state = State.OPEN
    with breaker._lock:
        assert holds_in_child(lambda: breaker.state is State.CLOSED and is_free(breaker._lock))
    assert breaker.state is State.OPEN


def test_ids_have_no_lease() -> None:
    generator = IdGenerator(OneLease)
    generator.next()
    owner = generator._owner
    with generator._lock:
        assert holds_in_child(
            lambda: is_free(generator._lock) and generator._lease is None and generator._owner != owner
        )
    assert generator._lease is not None


def test_the_write_lock_is_free_and_its_file_not_shared(tmp_path: Any) -> None:
    lock = WriteLock()
    holding, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.held(str(tmp_path / "store")):
            holding.set()
            forked.wait(timeout=60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(timeout=60)
    try:
        assert holds_in_child(lambda: is_free(lock._lock) and lock._file is None and not lock._depth)
        assert lock._file is not None
    finally:
        forked.set()
        holder.join()


def test_cassandra_has_no_session_and_the_parents_is_not_finalised(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = cast(Opened, object())
    monkeypatch.setattr(session._process, "open", opened)
    with session._process.lock:
        assert holds_in_child(
            lambda: (
                session._process.open is None
                and session._process._inherited[-1] is opened
                and is_free(session._process.lock)
            )
        )
    assert session._process.open is opened


def test_deferred_writes_are_the_parents() -> None:
    breaker = Breaker("backend", probe=lambda: None, silent=lambda _: True, failures=1)
    breaker._state = State.OPEN
    deferred = DeferredWrites(lambda: breaker)
    deferred.keep(lambda: None)
    with deferred._lock:
        assert holds_in_child(lambda: not deferred._waiting and deferred._thread is None and is_free(deferred._lock))
    assert len(deferred._waiting) == 1
    deferred.forget()
    breaker.reset()


def test_a_redis_node_connects_anew_and_leaves_its_parents_connections_open() -> None:
    node = RedisNode("redis", "redis://127.0.0.1:1/0")
    client = node.client()
    wires = client.connection_pool
    closed: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wires, "disconnect", closed.append)
        with node._lock:
            assert holds_in_child(lambda: node._client is None and not closed and node.client() is not client)
    assert node.client() is client


def test_a_dispatcher_has_a_queue_and_a_thread_of_its_own() -> None:
    taken, go_on = threading.Event(), threading.Event()
    sent: list[int] = []

    def pass_on(order: Order) -> None:
        taken.set()
        if order.id == 1:
            go_on.wait(timeout=60)
        sent.append(order.id)

    dispatcher = Dispatcher(pass_on)
    dispatcher.send(Order(1, "none", ()))
    assert taken.wait(timeout=60)

    def sends_its_own() -> bool:
        was_waiting = dispatcher.waiting
        dispatcher.send(Order(2, "none", ()))
        dispatcher.drain(5.0)
        return (was_waiting, sent) == (0, [2])

    with dispatcher._lock:
        assert holds_in_child(sends_its_own)
    assert dispatcher.waiting == 1
    go_on.set()
    dispatcher.drain(60.0)
    assert sent == [1]
