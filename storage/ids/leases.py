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

    For example, process A leases number 5 at second 0, up to 60, and stands still from second 40 on:

    1. B asks at 50, and is given another number: 5 is A's up to 60.
    2. C asks at 75, and is given 5, from 75 up to 135.
    3. A goes on at 80, past its end: no id is made. It asks to renew, is told None, and takes another number.

    Had A given 5 back after an id of second 44, the next lessee would start above that, and not have waited for 60.
    """

    def acquire(self, *, owner: str, now_us: int, length_us: int) -> Lease:
        """Takes a free number, from max(now, previous end). Raises `Unavailable`."""

    def renew(self, lease: Lease, *, now_us: int, length_us: int) -> Lease | None:
        """Returns the same number up to now + length, or None when another owner has it now."""

    def release(self, lease: Lease, *, used_us: int) -> None:
        """Gives the number back; the next lessee starts above `used_us`."""
