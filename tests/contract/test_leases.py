"""The lease port: a worker number belongs to one owner at a time, and never looks back."""

from collections.abc import Iterator
from functools import partial

import pytest

from storage.cassandra import session
from storage.errors import Unavailable
from storage.ids.leases import Lease, WorkerLeases
from storage.ids.snowflakes import IdGenerator, now_us
from tests.ids import new_id
from tests.threads import run_together

MINUTE_US = 60_000_000
SKEW_US = 11_000_000
"""Longer than any store allows for clocks that disagree."""


@pytest.fixture(autouse=True)
def no_leases(store: str) -> None:
    if store == "cassandra":
        session.execute("TRUNCATE worker_leases")


@pytest.fixture
def one_number(leases: WorkerLeases) -> WorkerLeases:
    """A store with a single worker number, so that lessees follow each other on it."""
    return type(leases)(workers=1)  # type: ignore[call-arg]


def owner() -> str:
    return f"process-{new_id()}"


def test_a_lease_begins_now_and_lasts_as_asked(leases: WorkerLeases) -> None:
    now = now_us()
    lease = leases.acquire(owner="a", now_us=now, length_us=MINUTE_US)
    assert lease == Lease(lease.worker, "a", now, now + MINUTE_US)
    assert 0 <= lease.worker < 4096


def test_two_owners_have_two_numbers(leases: WorkerLeases) -> None:
    now = now_us()
    numbers = [leases.acquire(owner=owner(), now_us=now, length_us=MINUTE_US).worker for _ in range(10)]
    assert len(set(numbers)) == 10


def test_many_at_once_have_different_numbers(leases: WorkerLeases) -> None:
    now = now_us()
    calls = [partial(leases.acquire, owner=owner(), now_us=now, length_us=MINUTE_US) for _ in range(16)]
    assert len({lease.worker for lease in run_together(calls)}) == 16


def test_a_leased_number_is_not_given_away(one_number: WorkerLeases) -> None:
    now = now_us()
    one_number.acquire(owner="a", now_us=now, length_us=MINUTE_US)
    with pytest.raises(Unavailable) as refused:
        one_number.acquire(owner="b", now_us=now + MINUTE_US - 1, length_us=MINUTE_US)
    assert refused.value.backend == "ids"


def test_the_next_lessee_starts_at_or_above_the_end(one_number: WorkerLeases) -> None:
    first = one_number.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    second = one_number.acquire(owner="b", now_us=first.end_us + SKEW_US, length_us=MINUTE_US)
    assert second.worker == first.worker
    assert second.start_us >= first.end_us


def test_of_many_at_once_one_takes_an_ended_number(one_number: WorkerLeases) -> None:
    first = one_number.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)

    def take(name: str) -> str | None:
        try:
            return one_number.acquire(owner=name, now_us=first.end_us + SKEW_US, length_us=MINUTE_US).owner
        except Unavailable:
            return None

    taken = [name for name in run_together([partial(take, owner()) for _ in range(8)]) if name]
    assert len(taken) == 1


def test_renewal_moves_the_end(leases: WorkerLeases) -> None:
    lease = leases.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    renewed = leases.renew(lease, now_us=lease.start_us + 7, length_us=MINUTE_US)
    assert renewed == Lease(lease.worker, "a", lease.start_us, lease.end_us + 7)


def test_renewal_never_shortens(leases: WorkerLeases) -> None:
    lease = leases.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    renewed = leases.renew(lease, now_us=lease.start_us - MINUTE_US, length_us=MINUTE_US)
    assert renewed == lease


def test_renewal_holds_off_others(one_number: WorkerLeases) -> None:
    lease = one_number.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    assert one_number.renew(lease, now_us=lease.end_us, length_us=MINUTE_US) is not None
    with pytest.raises(Unavailable):
        one_number.acquire(owner="b", now_us=lease.end_us + SKEW_US, length_us=MINUTE_US)


def test_a_number_that_was_taken_cannot_be_renewed(one_number: WorkerLeases) -> None:
    lost = one_number.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    held = one_number.acquire(owner="b", now_us=lost.end_us + SKEW_US, length_us=MINUTE_US)
    assert one_number.renew(lost, now_us=held.start_us, length_us=MINUTE_US) is None
    assert one_number.renew(held, now_us=held.start_us, length_us=MINUTE_US) == held


def test_a_released_number_is_free_above_what_was_used(one_number: WorkerLeases) -> None:
    lease = one_number.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    used = lease.start_us + 1_000
    one_number.release(lease, used_us=used)
    next_lease = one_number.acquire(owner="b", now_us=used + SKEW_US, length_us=MINUTE_US)
    assert next_lease.worker == lease.worker
    assert next_lease.start_us > used
    assert one_number.renew(lease, now_us=used, length_us=MINUTE_US) is None


def test_releasing_what_another_holds_changes_nothing(one_number: WorkerLeases) -> None:
    lost = one_number.acquire(owner="a", now_us=now_us(), length_us=MINUTE_US)
    held = one_number.acquire(owner="b", now_us=lost.end_us + SKEW_US, length_us=MINUTE_US)
    one_number.release(lost, used_us=0)
    assert one_number.renew(held, now_us=held.start_us, length_us=MINUTE_US) == held


@pytest.fixture
def generators(leases: WorkerLeases) -> Iterator[list[IdGenerator]]:
    made = [IdGenerator(lambda: leases) for _ in range(4)]
    yield made
    for generator in made:
        generator.close()


def test_processes_that_start_together_never_share_an_id(generators: list[IdGenerator]) -> None:
    def make(generator: IdGenerator) -> list[int]:
        return [generator.next() for _ in range(200)]

    made = run_together([partial(make, generator) for generator in generators])
    assert len({each for ids in made for each in ids}) == 800
