"""Ids: unique and rising, inside the lease, whatever clocks, pauses and forks do."""

import os
import signal
from datetime import UTC, datetime
from functools import partial

import pytest

from storage.errors import Unavailable
from storage.ids.leases import Lease
from storage.ids.snowflakes import (
    EPOCH_US,
    MAX_CLOCK_STEP_US,
    MAX_ID,
    WORKERS,
    IdGenerator,
    id_minute,
    id_month,
    id_time,
    id_us,
    make_id,
    now_us,
)
from tests.threads import run_together

LEASE_US = 60_000_000
START_US = EPOCH_US + 500_000_000_000_000


class FakeClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self) -> None:
        self.us = START_US
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.us

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.us += round(seconds * 1_000_000)


class FakeLeases:
    """One worker number after the other, none before `earliest_us`; `down` and `lost` play the store's failures."""

    def __init__(self) -> None:
        self.acquired: list[Lease] = []
        self.renewals = 0
        self.released: list[tuple[Lease, int]] = []
        self.down = self.lost = False
        self.earliest_us = 0

    def acquire(self, *, owner: str, now_us: int, length_us: int) -> Lease:
        self._answer()
        start = max(now_us, self.earliest_us)
        self.acquired.append(Lease(len(self.acquired) + 1, owner, start, start + length_us))
        return self.acquired[-1]

    def renew(self, lease: Lease, *, now_us: int, length_us: int) -> Lease | None:
        self._answer()
        self.renewals += 1
        if self.lost:
            return None
        return Lease(lease.worker, lease.owner, lease.start_us, now_us + length_us)

    def release(self, lease: Lease, *, used_us: int) -> None:
        self.released.append((lease, used_us))

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("cassandra")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest.fixture
def generator(leases: FakeLeases, clock: FakeClock) -> IdGenerator:
    return IdGenerator(lambda: leases, clock=clock, sleep=clock.sleep, lease_us=LEASE_US)


def worker_of(snowflake: int) -> int:
    return snowflake & (WORKERS - 1)


def test_an_id_tells_its_time_and_worker() -> None:
    moment = datetime(2026, 11, 30, 23, 59, 59, 123_456, UTC)
    us = round(moment.timestamp() * 1_000_000)
    snowflake = make_id(us, 4095)
    assert id_us(snowflake) == us
    assert id_time(snowflake) == moment
    assert worker_of(snowflake) == 4095
    assert id_month(snowflake) == 2026 * 12 + 10
    assert id_minute(snowflake) == us // 60_000_000
    assert id_month(make_id(us + 1_000_000, 0)) == 2026 * 12 + 11


def test_ids_have_63_bits_until_2082() -> None:
    last_us = EPOCH_US + (1 << 51) - 1
    assert make_id(last_us, 4095) == MAX_ID
    assert id_time(MAX_ID).year == 2082


def test_ids_rise_though_the_clock_stands_still(generator: IdGenerator) -> None:
    ids = [generator.next() for _ in range(100)]
    assert ids == sorted(set(ids))
    assert [id_us(each) for each in ids] == list(range(START_US, START_US + 100))


def test_ids_follow_the_clock(generator: IdGenerator, clock: FakeClock) -> None:
    generator.next()
    clock.us += 12_345
    assert id_us(generator.next()) == START_US + 12_345


def test_a_lease_is_taken_once_and_renewed_at_half_time(
    generator: IdGenerator, leases: FakeLeases, clock: FakeClock
) -> None:
    generator.next()
    clock.us += LEASE_US // 2 - 1
    generator.next()
    assert leases.renewals == 0
    clock.us += 1
    generator.next()
    assert leases.renewals == 1
    assert len(leases.acquired) == 1


def test_ids_stay_inside_the_lease_while_the_store_is_down(
    generator: IdGenerator, leases: FakeLeases, clock: FakeClock
) -> None:
    generator.next()
    leases.down = True
    clock.us = leases.acquired[0].end_us - 1
    assert id_us(generator.next()) == leases.acquired[0].end_us - 1
    with pytest.raises(Unavailable):
        generator.next()
    leases.down = False
    assert id_us(generator.next()) >= leases.acquired[0].end_us


def test_an_id_outside_the_lease_is_refused_whatever_the_store_says(leases: FakeLeases, clock: FakeClock) -> None:
    generator = IdGenerator(lambda: leases, clock=clock, sleep=clock.sleep, lease_us=0)
    with pytest.raises(Unavailable) as refused:
        generator.next()
    assert refused.value.backend == "ids"


def test_no_id_without_a_lease(generator: IdGenerator, leases: FakeLeases) -> None:
    leases.down = True
    with pytest.raises(Unavailable):
        generator.next()


def test_a_process_that_slept_past_its_lease_asks_first(
    generator: IdGenerator, leases: FakeLeases, clock: FakeClock
) -> None:
    """Stopped for an hour; meanwhile another process took the number."""
    before = generator.next()
    clock.us += 3_600_000_000
    leases.lost = True
    after = generator.next()
    assert worker_of(after) != worker_of(before)
    assert id_us(after) >= leases.acquired[1].start_us


@pytest.mark.parametrize("ahead_us", [MAX_CLOCK_STEP_US, MAX_CLOCK_STEP_US + 2])
def test_a_lease_that_starts_in_the_future_is_waited_for_or_refused(
    generator: IdGenerator, leases: FakeLeases, clock: FakeClock, ahead_us: int
) -> None:
    """The previous lessee's clock was ahead: no id below its end, and none far ahead of the clock."""
    leases.earliest_us = START_US + ahead_us
    if ahead_us > MAX_CLOCK_STEP_US:
        with pytest.raises(Unavailable):
            generator.next()
        clock.us += ahead_us
    ids = [generator.next() for _ in range(3)]
    assert ids == sorted(set(ids))
    assert id_us(ids[0]) == START_US + ahead_us
    assert clock.us >= START_US + ahead_us


def test_a_small_step_back_of_the_clock_is_waited_for(generator: IdGenerator, clock: FakeClock) -> None:
    before = generator.next()
    clock.us -= MAX_CLOCK_STEP_US
    after = generator.next()
    assert after > before
    assert clock.slept == [1.0]


def test_a_large_step_back_of_the_clock_is_refused(generator: IdGenerator, clock: FakeClock) -> None:
    before = generator.next()
    clock.us -= MAX_CLOCK_STEP_US + 1
    with pytest.raises(Unavailable) as refused:
        generator.next()
    assert refused.value.backend == "ids"
    clock.us = START_US + 1
    assert generator.next() > before


def test_closing_gives_the_number_back(generator: IdGenerator, leases: FakeLeases) -> None:
    last = generator.next()
    generator.close()
    assert leases.released == [(leases.acquired[0], id_us(last))]
    assert worker_of(generator.next()) == 2


def test_closing_an_unused_generator_asks_nothing(generator: IdGenerator, leases: FakeLeases) -> None:
    generator.close()
    assert leases.released == []


def test_threads_never_share_an_id() -> None:
    leases = FakeLeases()
    generator = IdGenerator(lambda: leases)
    made = run_together([partial(lambda: [generator.next() for _ in range(2_000)]) for _ in range(8)])
    assert all(ids == sorted(ids) for ids in made)
    assert len({each for ids in made for each in ids}) == 16_000
    assert len(leases.acquired) == 1


def test_a_forked_child_takes_a_number_of_its_own() -> None:
    leases = FakeLeases()
    generator = IdGenerator(lambda: leases)
    before = generator.next()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, f"{generator.next()} {len(leases.acquired)}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    snowflake, acquired = os.read(reader, 100).split()
    os.close(reader)
    assert int(acquired) == 2
    assert worker_of(int(snowflake)) != worker_of(before)
    assert worker_of(generator.next()) == worker_of(before)


def test_a_child_forked_while_a_thread_makes_an_id_is_not_stuck() -> None:
    generator = IdGenerator(FakeLeases)
    reader, writer = os.pipe()
    with generator._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            try:
                os.write(writer, str(generator.next()).encode())
            finally:
                os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert os.read(reader, 100) != b""
    os.close(reader)


def test_an_id_is_greater_than_the_one_it_replaces(generator: IdGenerator, clock: FakeClock) -> None:
    """That was made by a process whose clock is half a second ahead."""
    replaced = make_id(START_US + 500_000, 4095)
    assert generator.next(above=replaced) > replaced
    assert clock.slept == [0.5]


def test_an_id_that_is_to_replace_one_far_ahead_is_refused(generator: IdGenerator, clock: FakeClock) -> None:
    with pytest.raises(Unavailable) as refused:
        generator.next(above=make_id(START_US + MAX_CLOCK_STEP_US + 1, 0))
    assert (refused.value.backend, clock.slept) == ("ids", [])
    assert id_us(generator.next()) == START_US, "others are not held up"


def test_an_id_is_born_after_its_lease_was_asked_for(
    generator: IdGenerator, leases: FakeLeases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the store took: an id of before would be late from the first."""
    asked = leases._answer

    def slowly() -> None:
        asked()
        clock.us += 5_000_000

    monkeypatch.setattr(leases, "_answer", slowly)
    assert id_us(generator.next()) == START_US + 5_000_000


def test_a_clock_that_steps_past_the_end_while_the_lease_is_asked_for_gives_no_id(
    generator: IdGenerator, leases: FakeLeases, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = leases._answer

    def stepping() -> None:
        asked()
        clock.us += LEASE_US

    monkeypatch.setattr(leases, "_answer", stepping)
    with pytest.raises(Unavailable):
        generator.next()
    monkeypatch.setattr(leases, "_answer", asked)
    assert id_us(generator.next()) == START_US + LEASE_US


def test_the_real_clock_counts_microseconds() -> None:
    assert abs(now_us() / 1_000_000 - datetime.now(UTC).timestamp()) < 1
