"""One breaker for each backend: once it is known to be down or hung, nobody waits for it any more.

    closed ── `failures` in a row ──► open ── every PAUSE_SECONDS ──► half-open: one probe
       ▲                               ▲                                 │
       └───────────────────────────────┴── it answers ◄──────────────────┴──► it does not

While a breaker is not closed, a call raises `Unavailable` in microseconds and the backend is
not asked. The probe runs in a thread of the breaker's own, so no request ever pays its
timeout, there is one at a time, and the breaker closes by itself also when nobody calls.

**What counts** is silence: no connection, no answer in time. A backend that answers with an
error has answered (`answers`), and its silences are counted anew; where some answers mean that it is overloaded
(`late`), many in a row without a success count, too. Failures must follow one another: a slow
statement among others that succeed opens nothing. A call that began before the breaker last
changed says nothing about now, and is not counted.

**A breaker makes nothing wrong.** To its callers an open breaker is what a backend that is
down is, and they do what they do then; it only says so sooner, and up to PAUSE_SECONDS and a
probe longer: processes notice a backend's return one by one. In that time one process may
change something that it cannot tell Redis about, while another already reads there. What has
an order (edges, tweets, marks) is made good by its order, as after any refusal. Of tokens and
accounts there are notes, and a vouch that ends (accounts/account_cache/vouching.py). Whoever reads
without Redis reads the store or SQL; only accounts come from memory as well, for as long as they
may without any breaker.

Own code, for measured reasons: see docs/adr/019-breakers-and-retries.md.
"""

import random
import threading
import weakref
from collections.abc import Callable, Iterable
from enum import StrEnum
from time import sleep
from types import TracebackType

import structlog
from prometheus_client import Counter, Gauge

from storage.errors import Unavailable
from storage.process import start_anew_after_fork

PAUSE_SECONDS = 1.0
"""Between probes, give or take JITTER: a process asks a backend that is down once a second."""
JITTER = 0.2
"""So that many processes that saw a backend go do not ask it all at the same moment."""

OPENED = Counter("breaker_opened", "How often a breaker opened.", ["backend"])
OPEN = Gauge("breaker_open", "1 while a process does not ask the backend.", ["backend"], multiprocess_mode="livemax")

log = structlog.get_logger(__name__)


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """The breaker of one backend in this process. Thread-safe; closed in a forked child.

    `probe` asks the backend past the breaker, raising unless it answers, within its timeouts.
    `silent` tells which errors mean that the backend did not answer.
    """

    def __init__(
        self,
        backend: str,
        *,
        probe: Callable[[], object],
        silent: Callable[[Exception], bool],
        failures: int,
        late: Callable[[Exception], bool] = lambda _: False,
        late_failures: int = 0,
        answers: Callable[[Exception], bool] | None = None,
        figure: str = "",
    ) -> None:
        """`late` tells answers that say "not in time"; `late_failures` of them in a row open it as well.

        `answers` tells all errors that the backend has answered with, which end a row of silences: those that are
        `late`, unless it is given. An error that is neither may be the caller's own, and proves nothing.

        `figure` is what the backend is called in metrics, where /readyz calls it otherwise than errors do.
        """
        self.backend = backend
        self._probe = probe
        self._silent = silent
        self._limit = failures
        self._late = late
        self._late_limit = late_failures
        self._answers = answers or late
        self.figure = figure or backend
        self._opened = OPENED.labels(self.figure)
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failures = 0
        self._late_failures = 0
        self._round = 0
        _breakers.add(self)
        self._tell()
        start_anew_after_fork(self)

    @property
    def state(self) -> State:
        return self._state

    def guard(self, *, proves: bool = True) -> "Guard":
        """Stands around one call of the backend, as a context. Raises `Unavailable` at once unless closed.

        Errors pass through. If the block may end well without having asked the backend, say
        `proves=False`, and call `answered` when it did answer.
        """
        return Guard(self, proves)

    def enter(self) -> int:
        """Returns what `left_with` is to be given. Raises `Unavailable` unless closed."""
        if self._state is not State.CLOSED:
            raise Unavailable(self.backend)
        return self._round

    def left_with(self, error: Exception, began_in: int) -> None:
        """Hears of what a call that was entered ended with."""
        if self._silent(error):
            self._failed(began_in, error, silences=1)
            return
        if self._answers(error):
            self._end_silences(began_in)
        if self._late(error):
            self._failed(began_in, error, late=1)

    def answered(self) -> None:
        """Says that the backend has just answered a call."""
        if self._failures or self._late_failures:
            with self._lock:
                self._failures = self._late_failures = 0

    def reset(self) -> None:
        """Closes it, as in a process that has just started; a probe under way no longer matters."""
        with self._lock:
            self._close()
        self._tell()

    def start_anew(self) -> None:
        """Closes it in a forked child, where the copy of the lock may be held by a thread that is not there."""
        self._lock = threading.Lock()
        self._close()

    def _end_silences(self, began_in: int) -> None:
        with self._lock:
            if self._round == began_in:
                self._failures = 0

    def _failed(self, began_in: int, error: Exception, *, silences: int = 0, late: int = 0) -> None:
        with self._lock:
            if self._round != began_in or self._state is not State.CLOSED:
                return
            self._failures += silences
            self._late_failures += late
            spent = self._failures >= self._limit or (late and self._late_failures >= self._late_limit)
            if spent and self._start_probing():
                self._state = State.OPEN
                self._opened.inc()
                self._tell()
                log.warning("breaker_opened", backend=self.backend, error=repr(error))

    def _start_probing(self) -> bool:
        """False when no thread can be had: the breaker stays closed, and the next failure tries again."""
        thread = threading.Thread(
            target=self._probe_until_it_answers,
            args=(self._round + 1,),
            name=f"breaker-{self.backend}",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:
            return False
        self._round += 1
        return True

    def _probe_until_it_answers(self, opened_in: int) -> None:
        """Ends when the backend answers, or when the breaker was reset."""
        while self._become(State.OPEN, opened_in):
            sleep(PAUSE_SECONDS * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - spreads load, hides nothing
            if not self._become(State.HALF_OPEN, opened_in):
                return
            try:
                self._probe()
            except Exception as error:
                log.debug("breaker_stays_open", backend=self.backend, error=repr(error))
            else:
                self._let_through(opened_in)
                return

    def _become(self, state: State, opened_in: int) -> bool:
        with self._lock:
            if self._round == opened_in:
                self._state = state
            return self._round == opened_in

    def _let_through(self, opened_in: int) -> None:
        with self._lock:
            if self._round != opened_in:
                return
            self._close()
        self._tell()
        log.info("breaker_closed", backend=self.backend)

    def _close(self) -> None:
        self._round += 1
        self._failures = self._late_failures = 0
        self._state = State.CLOSED

    def _tell(self) -> None:
        """Says in metrics whether any breaker of that name is open here: a cluster's nodes have one each.

        Of several that tell at a time the last one knows of all that has changed before.
        """
        with _telling.lock:
            is_open = any(each.figure == self.figure and each.state is not State.CLOSED for each in list(_breakers))
            OPEN.labels(self.figure).set(is_open)


class Guard:
    """A call of a backend, by its breaker. A class, since one made of a generator costs a round trip three times as
    much."""

    __slots__ = ("_began_in", "_breaker", "_proves")

    def __init__(self, breaker: Breaker, proves: bool) -> None:
        self._breaker = breaker
        self._proves = proves

    def __enter__(self) -> None:
        self._began_in = self._breaker.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._breaker.left_with(error, self._began_in)
        elif error is None and self._proves:
            self._breaker.answered()


class Telling:
    """Whose turn it is to look at all breakers and say what is found. Held by nobody that waits for anything else."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves the parent's lock to the parent in a forked child."""
        self.lock = threading.Lock()


def worst_of(breakers: Iterable[Breaker]) -> State:
    """Returns the state of whichever keeps most from being asked: open, half open, closed."""
    states = {breaker.state for breaker in breakers}
    return next(state for state in (State.OPEN, State.HALF_OPEN, State.CLOSED) if state in states)


_breakers: "weakref.WeakSet[Breaker]" = weakref.WeakSet()
_telling = Telling()


def reset_all() -> None:
    """Closes every breaker of the process, as if it had just started."""
    for breaker in list(_breakers):
        breaker.reset()
