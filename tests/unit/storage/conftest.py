"""An id generator on a clock and leases that do as a test says."""

import pytest

from storage.ids.snowflakes import IdGenerator
from tests.unit.storage.leasing import LEASE_US, FakeClock, FakeLeases


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest.fixture
def generator(leases: FakeLeases, clock: FakeClock) -> IdGenerator:
    return IdGenerator(lambda: leases, clock=clock, sleep=clock.sleep, lease_us=LEASE_US)
