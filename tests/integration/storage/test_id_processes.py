"""Ids made by real processes that are stopped, killed and forked, with clocks that step."""

import mmap
import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, Pipe

import pytest
from django.db import connections

from storage import stores
from storage.cassandra import leases as cassandra_leases
from storage.cassandra import session
from storage.errors import Unavailable
from storage.ids.leases import WorkerLeases
from storage.ids.snowflakes import MAX_CLOCK_STEP_US, WORKERS, IdGenerator, id_us, now_us

LEASE_US = 400_000
ANSWER_SECONDS = 120
ROUNDS = 100
TRIES = 200
"""Refusals in a row: a lease that ran out while the machine was busy is asked for again."""


def made(generator: IdGenerator, count: int) -> list[int]:
    """So many ids; a refused one is asked for again, as a client would."""
    found: list[int] = []
    refused = 0
    while len(found) < count:
        try:
            found.append(generator.next())
        except Unavailable:
            refused += 1
            if refused > TRIES:
                raise
            threading.Event().wait(0.02)
    return found


class Process:
    """A forked process with a generator of its own, which makes ids when told to."""

    def __init__(self, leases: WorkerLeases, lease_us: int) -> None:
        self._step = mmap.mmap(-1, 8)
        self._pipe, theirs = Pipe()
        self.generator = IdGenerator(lambda: leases, clock=self._clock, lease_us=lease_us)
        connections.close_all()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._serve(theirs)
            finally:
                os._exit(0)
        theirs.close()

    def ask(self, count: int) -> None:
        self._pipe.send(count)

    def answer(self) -> list[int]:
        """The ids asked for. Raises `Unavailable` if the process did."""
        assert self._pipe.poll(ANSWER_SECONDS)
        answer: list[int] | None = self._pipe.recv()
        if answer is None:
            raise Unavailable("ids")
        return answer

    def make(self, count: int = 1) -> list[int]:
        self.ask(count)
        return self.answer()

    def refuses(self) -> bool:
        """Whether the next id, asked for once, is refused."""
        self._pipe.send(-1)
        assert self._pipe.poll(ANSWER_SECONDS)
        return self._pipe.recv() is None

    def close(self) -> None:
        """Has it give its number back."""
        self.make(0)

    def step_clock(self, us: int) -> None:
        struct.pack_into("q", self._step, 0, us)

    def send(self, signal_number: int) -> None:
        os.kill(self.pid, signal_number)

    def end(self) -> None:
        if self.pid:
            self.send(signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
            self._pipe.close()

    def _clock(self) -> int:
        step: int = struct.unpack_from("q", self._step, 0)[0]
        return now_us() + step

    def _serve(self, pipe: Connection) -> None:
        while True:
            count = pipe.recv()
            try:
                if count == 0:
                    self.generator.close()
                pipe.send([self.generator.next()] if count < 0 else made(self.generator, count))
            except Unavailable:
                pipe.send(None)


Starter = Callable[..., Process]


@pytest.fixture
def started(store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    """Starts processes that share so many worker numbers, which are free as soon as their lease has ended."""
    monkeypatch.setattr(cassandra_leases, "CLOCK_SKEW_US", 0)
    if store == "cassandra":
        session.execute("TRUNCATE worker_leases")
    processes: list[Process] = []

    def start(workers: int, lease_us: int = LEASE_US) -> Process:
        leases = type(stores.worker_leases())(workers=workers)  # type: ignore[call-arg]
        processes.append(Process(leases, lease_us))
        return processes[-1]

    yield start
    for process in processes:
        process.end()


def workers_of(ids: list[int]) -> set[int]:
    return {each & (WORKERS - 1) for each in ids}


def test_a_process_stopped_past_its_lease_repeats_no_id_of_those_who_took_its_number(started: Starter) -> None:
    stopped, others = started(3), [started(3) for _ in range(2)]
    first = stopped.make(200)
    stopped.send(signal.SIGSTOP)
    others.append(started(3))
    of_others: list[list[int]] = [[], [], []]
    for _ in range(ROUNDS):
        for process in others:
            process.ask(200)
        for collected, process in zip(of_others, others, strict=True):
            collected.extend(process.answer())
        if any(workers_of(first) <= workers_of(ids) for ids in of_others):
            break
    else:
        pytest.fail("nobody took the number")
    for process in others:
        process.end()
    stopped.send(signal.SIGCONT)
    after = stopped.make(200)
    everything = [first + after, *of_others]
    assert all(ids == sorted(ids) for ids in everything)
    assert len({each for ids in everything for each in ids}) == sum(map(len, everything))
    assert id_us(after[0]) > id_us(first[-1]) + LEASE_US // 2


def test_a_process_stopped_past_its_lease_makes_nothing_while_another_has_its_number(started: Starter) -> None:
    stopped = started(1)
    first = stopped.make(200)
    stopped.send(signal.SIGSTOP)
    taker = started(1, lease_us=60_000_000)
    taken = taker.make(200)
    stopped.send(signal.SIGCONT)
    assert stopped.refuses()
    taken += taker.make(200)
    taker.close()
    after = stopped.make(200)
    assert workers_of(first) == workers_of(taken) == workers_of(after)
    ids = first + taken + after
    assert ids == sorted(set(ids))


def test_a_killed_process_s_successor_starts_above_it(started: Starter) -> None:
    killed = started(1)
    before = killed.make(200)
    killed.end()
    after = started(1).make(200)
    assert workers_of(before) == workers_of(after)
    assert before[-1] < after[0]


def test_a_killed_process_s_successor_starts_above_it_though_the_clock_stepped_back(started: Starter) -> None:
    """The lease's end in the store bounds what was made before."""
    killed = started(1)
    killed.step_clock(MAX_CLOCK_STEP_US)
    before = killed.make(200)
    killed.end()
    successor = started(1)
    assert successor.refuses(), "until the end of the lease has come by its own clock"
    after = successor.make(200)
    assert before[-1] < after[0]


def test_a_small_step_back_is_waited_for_and_a_large_one_refused(started: Starter) -> None:
    process = started(3)
    process.step_clock(MAX_CLOCK_STEP_US // 2)
    ids = process.make(200)
    process.step_clock(0)
    ids += process.make(200)
    process.step_clock(-5 * MAX_CLOCK_STEP_US)
    assert process.refuses()
    process.step_clock(5 * MAX_CLOCK_STEP_US)
    ids += process.make(200)
    assert ids == sorted(set(ids))
