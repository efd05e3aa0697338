"""Ids and the lease of their worker number, whatever the store, clocks and pauses do."""

import pytest

from storage.errors import Unavailable
from storage.ids.snowflakes import (
    MAX_CLOCK_STEP_US,
    IdGenerator,
    id_us,
)
from tests.unit.storage.leasing import LEASE_US, START_US, FakeClock, FakeLeases, worker_of


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


def test_closing_gives_the_number_back(generator: IdGenerator, leases: FakeLeases) -> None:
    last = generator.next()
    generator.close()
    assert leases.released == [(leases.acquired[0], id_us(last))]
    assert worker_of(generator.next()) == 2


def test_closing_an_unused_generator_asks_nothing(generator: IdGenerator, leases: FakeLeases) -> None:
    generator.close()
    assert leases.released == []


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
