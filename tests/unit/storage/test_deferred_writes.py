"""What Redis could not be told is told again: when, how often, in which order, and how much is kept."""

import os
from collections.abc import Iterator

import pytest

from deploy.supervisor.processes import wait_until
from storage.breakers import Breaker, State
from storage.errors import Unavailable
from storage.redis import deferred_writes
from storage.redis.deferred_writes import DeferredWrites


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_writes, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(deferred_writes, "LOOK_SECONDS", 0.01)


class Listener:
    """Hears what it is told, but for the first `deaf` times."""

    def __init__(self, deaf: int = 0) -> None:
        self.heard: list[str] = []
        self.asked = 0
        self._deaf = deaf

    def hear(self, what: str) -> None:
        self.asked += 1
        if self.asked <= self._deaf:
            raise Unavailable("backend")
        self.heard.append(what)

    def hears(self, *what: str) -> bool:
        return wait_until(lambda: self.heard == list(what), seconds=60)


@pytest.fixture
def breaker() -> Iterator[Breaker]:
    breaker = Breaker("backend", probe=lambda: None, silent=lambda error: False, failures=1)
    yield breaker
    breaker.reset()


@pytest.fixture
def kept(breaker: Breaker) -> DeferredWrites:
    return DeferredWrites(lambda: breaker)


def test_it_is_told_in_order_and_until_it_was_heard(kept: DeferredWrites) -> None:
    listener = Listener(deaf=4)
    kept.keep(lambda: listener.hear("one"))
    kept.keep(lambda: listener.hear("two"))
    assert listener.hears("one", "two")
    assert listener.asked == 6


def test_what_one_node_of_a_cluster_does_not_hear_holds_up_nothing(kept: DeferredWrites) -> None:
    dead, alive = Listener(deaf=10**9), Listener()
    kept.keep(lambda: dead.hear("one"))
    kept.keep(lambda: alive.hear("two"))
    assert alive.hears("two")
    assert wait_until(lambda: dead.asked > 1, seconds=60), "it is tried again"
    kept.forget()


def test_nobody_is_asked_while_the_breaker_is_open(kept: DeferredWrites, breaker: Breaker) -> None:
    listener = Listener()
    breaker._state = State.OPEN
    kept.keep(lambda: listener.hear("one"))
    assert not wait_until(lambda: listener.asked > 0, seconds=0.2)
    breaker.reset()
    assert listener.hears("one")


def test_a_fault_of_its_own_holds_up_nothing(kept: DeferredWrites) -> None:
    listener = Listener()
    kept.keep(lambda: listener.missing)  # type: ignore[attr-defined]
    kept.keep(lambda: listener.hear("two"))
    assert listener.hears("two")


def test_the_newest_are_kept(kept: DeferredWrites, breaker: Breaker) -> None:
    listener = Listener()
    breaker._state = State.OPEN
    for number in range(deferred_writes.KEPT + 3):
        kept.keep(lambda number=number: listener.hear(str(number)))  # type: ignore[misc]
    breaker.reset()
    assert wait_until(lambda: len(listener.heard) == deferred_writes.KEPT, seconds=60)
    assert (listener.heard[0], listener.heard[-1]) == ("3", str(deferred_writes.KEPT + 2))


def test_a_thread_is_there_only_while_there_is_something_to_tell(kept: DeferredWrites) -> None:
    listener = Listener()
    kept.keep(lambda: listener.hear("one"))
    assert wait_until(lambda: kept._thread is None, seconds=60)
    kept.keep(lambda: listener.hear("two"))
    assert listener.hears("one", "two")


def test_what_is_forgotten_is_not_told(kept: DeferredWrites, breaker: Breaker) -> None:
    listener = Listener()
    breaker._state = State.OPEN
    kept.keep(lambda: listener.hear("one"))
    kept.forget()
    breaker.reset()
    assert wait_until(lambda: kept._thread is None, seconds=60)
    assert listener.heard == []


def test_a_forked_child_begins_with_nothing(kept: DeferredWrites, breaker: Breaker) -> None:
    """The parent tells what is the parent's; the child would tell it a second time, from a thread it does not have."""
    breaker._state = State.OPEN
    kept.keep(lambda: None)
    child = os.fork()
    if child == 0:
        breaker.reset()
        listener = Listener()
        kept.keep(lambda: listener.hear("the child's"))
        os._exit(0 if listener.hears("the child's") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
