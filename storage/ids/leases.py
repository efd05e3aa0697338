"""The port through which a process leases its worker number for making ids (see ids/snowflakes.py)."""

from typing import Protocol

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """Worker number `worker` belongs to `owner` for ids of microseconds start_us ≤ t < end_us."""

    worker: int
    owner: str
    start_us: int
    end_us: int


class WorkerLeases(Protocol):
    """Each number belongs to one owner at a time, also when two ask at once.

    A lease starts at or above the previous lessee's end, even when the clocks of the two
    disagree; that alone keeps their ids apart.
    """

    def acquire(self, *, owner: str, now_us: int, length_us: int) -> Lease:
        """Takes a free number, from max(now, previous end). Raises `Unavailable`."""

    def renew(self, lease: Lease, *, now_us: int, length_us: int) -> Lease | None:
        """Returns the same number up to now + length, or None when another owner has it now."""

    def release(self, lease: Lease, *, used_us: int) -> None:
        """Gives the number back; the next lessee starts above `used_us`."""
