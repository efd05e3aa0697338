"""When a breaker opens, whom it lets through, and that it closes by itself."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from storage import breakers
from storage.breakers import OPENED, Breaker, State
from storage.errors import Unavailable
from tests.backends import Probes, probes_by_hand
from tests.threads import run_together
from tests.unit.storage.test_process import holds_in_child, is_free


@pytest.fixture
def probes() -> Iterator[Probes]:
    with probes_by_hand() as by_hand:
        yield by_hand


class Backend:
    """Answers, or is silent; knows how often it was asked."""

    def __init__(self, **options: Any) -> None:
        self.silent = False
        self.asked = 0
        self.probed = 0
        self.breaker = Breaker(
            "backend", probe=self.probe, silent=lambda error: isinstance(error, TimeoutError), failures=3, **options
        )

    def probe(self) -> None:
        self.probed += 1
        if self.silent:
            raise TimeoutError

    def call(self) -> None:
        with self.breaker.guard():
            self.asked += 1
            if self.silent:
                raise TimeoutError

    def fail(self, times: int = 3) -> None:
        self.silent = True
        for _ in range(times):
            with pytest.raises(TimeoutError):
                self.call()


def refuse(breaker: Breaker) -> None:
    with breaker.guard():
        raise ValueError("refused")


def test_silence_in_a_row_opens_and_then_nobody_asks(probes: Probes) -> None:
    backend = Backend()
    before = OPENED.labels("backend")._value.get()
    backend.fail()
    assert backend.breaker.state is State.OPEN
    for _ in range(100):
        with pytest.raises(Unavailable) as refused:
            backend.call()
        assert refused.value.backend == "backend"
    assert (backend.asked, backend.probed) == (3, 0)
    assert OPENED.labels("backend")._value.get() == before + 1


def test_an_answer_in_between_begins_anew(probes: Probes) -> None:
    backend = Backend()
    for _ in range(5):
        backend.fail(2)
        backend.silent = False
        backend.call()
    assert backend.breaker.state is State.CLOSED


def test_refusals_are_answers_of_a_kind_and_open_nothing(probes: Probes) -> None:
    backend = Backend()
    for _ in range(10):
        with pytest.raises(ValueError, match="refused"):
            refuse(backend.breaker)
    assert backend.breaker.state is State.CLOSED


class Told(Exception):
    """What a backend answers with."""


class Late(Told):
    """That it was not in time."""


def hears(breaker: Breaker, *errors: Exception) -> State:
    for error in errors:
        with suppress(type(error)), breaker.guard():
            raise error
    return breaker.state


def test_an_answer_of_any_kind_ends_a_row_of_silences(probes: Probes) -> None:
    silent = TimeoutError()
    for answer in (Late(), Told()):
        breaker = Backend(
            late=lambda error: isinstance(error, Late),
            late_failures=5,
            answers=lambda error: isinstance(error, Told),
        ).breaker
        assert hears(breaker, silent, silent, answer, silent, silent, answer, silent) is State.CLOSED, answer
        assert hears(breaker, silent, silent) is State.OPEN, answer


def test_late_answers_end_silences_and_are_counted_on_beside_them(probes: Probes) -> None:
    breaker = Backend(late=lambda error: isinstance(error, Late), late_failures=3).breaker
    silent, late = TimeoutError(), Late()
    assert hears(breaker, silent, silent, late, silent, silent, late, silent) is State.CLOSED
    assert hears(breaker, late) is State.OPEN


def test_an_error_that_may_be_the_callers_own_ends_no_row(probes: Probes) -> None:
    silent, ours = TimeoutError(), ValueError("ours")
    assert hears(Backend().breaker, silent, ours, silent, ours, silent) is State.OPEN


def test_an_answer_from_before_it_closed_ends_no_row(probes: Probes) -> None:
    breaker = Backend(answers=lambda error: isinstance(error, Told)).breaker
    old = breaker.guard()
    old.__enter__()
    breaker.reset()
    assert hears(breaker, TimeoutError(), TimeoutError()) is State.CLOSED
    old.__exit__(Told, Told(), None)
    assert hears(breaker, TimeoutError()) is State.OPEN


def test_a_block_that_asks_nothing_proves_nothing(probes: Probes) -> None:
    backend = Backend()
    for _ in range(3):
        backend.fail(1)
        with suppress(Unavailable), backend.breaker.guard(proves=False):
            pass
    assert backend.breaker.state is State.OPEN


def test_it_closes_by_itself_when_the_backend_answers(probes: Probes) -> None:
    backend = Backend()
    backend.fail()
    probes.let(1)
    assert probes.until(lambda: backend.probed == 1)
    assert backend.breaker.state is not State.CLOSED
    backend.silent = False
    probes.let(1)
    assert probes.until(lambda: backend.breaker.state is State.CLOSED)
    backend.call()
    assert (backend.asked, backend.probed) == (4, 2)


def test_one_probe_at_a_time_and_callers_never_probe(probes: Probes) -> None:
    entered, leave = threading.Event(), threading.Event()
    backend = Backend()

    def slow() -> None:
        backend.probed += 1
        entered.set()
        leave.wait(60)

    backend.breaker._probe = slow
    backend.fail()
    probes.let(5)
    assert entered.wait(60)
    assert backend.breaker.state is State.HALF_OPEN

    def call() -> bool:
        try:
            backend.call()
        except Unavailable:
            return True
        return False

    assert run_together([call] * 16) == [True] * 16
    assert (backend.asked, backend.probed) == (3, 1)
    leave.set()
    assert probes.until(lambda: backend.breaker.state is State.CLOSED)


def test_calls_run_beside_each_other() -> None:
    """A library's breaker held a lock around each call (docs/adr/019-breakers-and-retries.md)."""
    breaker = Backend().breaker
    together = threading.Barrier(8)

    def call() -> None:
        with breaker.guard():
            together.wait(timeout=60)

    run_together([call] * 8)


def test_what_began_before_it_closed_is_not_counted(probes: Probes) -> None:
    """Calls that hung when the backend did end, late, after it is back."""
    backend = Backend()
    late = [backend.breaker.guard() for _ in range(9)]
    for each in late:
        each.__enter__()
    backend.fail()
    backend.silent = False
    probes.let(1)
    assert probes.until(lambda: backend.breaker.state is State.CLOSED)
    for each in late:
        each.__exit__(TimeoutError, TimeoutError(), None)
    assert backend.breaker.state is State.CLOSED


def test_a_reset_ends_the_probing(probes: Probes) -> None:
    backend = Backend()
    backend.fail()
    backend.breaker.reset()
    probes.let(3)
    assert probes.until(lambda: not any(each.name == "breaker-backend" for each in threading.enumerate()))
    assert (backend.probed, backend.breaker.state) == (0, State.CLOSED)


def test_without_a_thread_it_stays_closed_and_tries_again(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open without a probe would be open for ever."""
    backend = Backend()
    start: Callable[..., None] = threading.Thread.start

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    backend.fail()
    states = [backend.breaker.state]
    monkeypatch.setattr(threading.Thread, "start", start)
    backend.fail(1)
    assert [*states, backend.breaker.state] == [State.CLOSED, State.OPEN]


def test_a_forked_child_begins_with_a_closed_one(probes: Probes) -> None:
    """Nobody probes there; and the lock's copy may be held by a thread of the parent's."""
    backend = Backend()
    backend.fail()
    with backend.breaker._lock:
        child = os.fork()
        if child == 0:
            backend.silent = False
            with suppress(BaseException):
                backend.call()
                backend.breaker.answered()
                os._exit(0)
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert backend.breaker.state is State.OPEN


def test_probes_are_a_second_apart_and_not_in_step() -> None:
    pauses: list[float] = []
    backend = Backend()

    def noted(seconds: float) -> None:
        pauses.append(seconds)
        backend.silent = len(pauses) < 50

    done = threading.Event()
    backend.breaker._probe = lambda: backend.probe() or done.set()  # type: ignore[func-returns-value]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breakers, "sleep", noted)
        backend.fail()
        assert done.wait(60)
    assert len(pauses) == 50
    assert all(0.8 <= each <= 1.2 for each in pauses)
    assert len(set(pauses)) > 40


class SlowGauge:
    """Takes its time to say that nothing is open."""

    def __init__(self) -> None:
        self.said: list[bool] = []
        self.is_saying, self.go_on = threading.Event(), threading.Event()

    def labels(self, _: str) -> "SlowGauge":
        return self

    def set(self, value: bool) -> None:
        if not value:
            self.is_saying.set()
            self.go_on.wait(60)
        self.said.append(value)


def test_what_is_said_last_is_what_is_so(probes: Probes) -> None:
    backend, gauge = Backend(), SlowGauge()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breakers, "OPEN", gauge)
        closing, opening = threading.Thread(target=backend.breaker.reset), threading.Thread(target=backend.fail)
        closing.start()
        assert gauge.is_saying.wait(60)
        opening.start()
        assert probes.until(lambda: backend.breaker.state is State.OPEN)
        opening.join(0.5)  # where nobody waits for a turn it has said so by now
        gauge.go_on.set()
        closing.join(60)
        opening.join(60)
    assert gauge.said == [False, True]


def test_a_forked_child_has_its_own_turn_to_say_so() -> None:
    with breakers._telling.lock:
        assert holds_in_child(lambda: is_free(breakers._telling.lock))
