"""Ids: what they tell, unique and rising, whatever clocks, threads and forks do."""

import os
import signal
from datetime import UTC, datetime
from functools import partial

import pytest

from storage.errors import Unavailable
from storage.ids.snowflakes import (
    EPOCH_US,
    MAX_CLOCK_STEP_US,
    MAX_ID,
    IdGenerator,
    id_minute,
    id_month,
    id_time,
    id_us,
    make_id,
    now_us,
)
from tests.threads import run_together
from tests.unit.storage.leasing import START_US, FakeClock, FakeLeases, worker_of


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


def test_the_real_clock_counts_microseconds() -> None:
    assert abs(now_us() / 1_000_000 - datetime.now(UTC).timestamp()) < 1
