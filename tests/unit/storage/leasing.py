"""A clock and a store of leases that do as a test says."""

from storage.errors import Unavailable
from storage.ids.leases import Lease
from storage.ids.snowflakes import (
    EPOCH_US,
    WORKERS,
)

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


def worker_of(snowflake: int) -> int:
    return snowflake & (WORKERS - 1)
