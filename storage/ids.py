"""Snowflake ids: unique without coordination per id, ordered by birth, 63 bits.

    bit 62 ............................ 12 11 ........ 0
        microseconds since EPOCH (51 bits)   worker (12 bits)

51 bits of microseconds last until 2082 (Twitter's own epoch), 12 bits allow 4,096
processes. Microseconds in place of Twitter's milliseconds + sequence: a process makes at
most one id a microsecond, needs no sequence counter, and the id's time is also Cassandra's
write timestamp (`write_timestamp`), so that "the last operation wins" orders by id.

**Unique**: a worker number is leased (leases.py); an id's microsecond lies inside its
process's lease, checked for every id, also after the process was stopped for hours; the next
lessee starts above the previous end. Within a process a microsecond is used once.

**Order of ids is order of birth, not of visibility**: a smaller id may become readable later.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from storage.errors import Unavailable
from storage.leases import Lease, WorkerLeases

EPOCH_US = 1_288_834_974_657_000
"""2010-11-04T01:42:54.657Z, Twitter's snowflake epoch; gives 19-digit ids from 2018 to 2082."""
WORKER_BITS = 12
WORKERS = 1 << WORKER_BITS
MAX_ID = (1 << 63) - 1

LEASE_US = 60_000_000
"""One minute: a crashed process's number is free again after that long. Renewed at half time."""
MAX_CLOCK_STEP_US = 1_000_000
"""A clock that stepped back by up to this much is waited for; more is refused."""


def make_id(us: int, worker: int) -> int:
    """The id of Unix microsecond `us` made by `worker`."""
    return ((us - EPOCH_US) << WORKER_BITS) | worker


def id_us(snowflake: int) -> int:
    """The Unix microsecond at which the id was made."""
    return (snowflake >> WORKER_BITS) + EPOCH_US


write_timestamp = id_us
"""Cassandra's write timestamp of an operation: microseconds, as the driver's own would be."""


def id_time(snowflake: int) -> datetime:
    """The birth of an id, UTC, to the microsecond."""
    return datetime.fromtimestamp(id_us(snowflake) / 1_000_000, UTC)


def id_month(snowflake: int) -> int:
    """The month of an id as year * 12 + month - 1, so that it counts up by one."""
    moment = id_time(snowflake)
    return moment.year * 12 + moment.month - 1


def id_minute(snowflake: int) -> int:
    """The minute of an id since the Unix epoch."""
    return id_us(snowflake) // 60_000_000


def now_us() -> int:
    return time.time_ns() // 1000


class IdGenerator:
    """Makes ids for one process; thread-safe; notices a fork and leases anew in the child.

    Raises `Unavailable("ids")` when no lease can be had, or when the clock stepped back by
    more than MAX_CLOCK_STEP_US. Costs no round trip, but one each half minute for the lease.
    """

    def __init__(
        self,
        leases: Callable[[], WorkerLeases],
        *,
        clock: Callable[[], int] = now_us,
        sleep: Callable[[float], None] = time.sleep,
        lease_us: int = LEASE_US,
    ) -> None:
        self._leases = leases
        self._clock = clock
        self._sleep = sleep
        self._lease_us = lease_us
        self._lock = threading.Lock()
        self._pid = 0
        self._lease: Lease | None = None
        self._owner = ""
        self._last_us = 0

    def next(self) -> int:
        """A new id, greater than every id this generator made before."""
        with self._lock:
            us = self._next_microsecond()
            lease = self._valid_lease(us)
            self._wait_for(lease.start_us, us)
            us = max(us, lease.start_us)
            if us >= lease.end_us:
                raise Unavailable("ids")
            self._last_us = us
            return make_id(us, lease.worker)

    def close(self) -> None:
        """Gives the worker number back, so that a restart need not wait for the lease to end."""
        with self._lock:
            if self._lease is not None and self._pid == os.getpid():
                self._leases().release(self._lease, used_us=self._last_us)
            self._lease = None

    def _next_microsecond(self) -> int:
        if self._pid != os.getpid():
            self._pid, self._owner, self._lease = os.getpid(), uuid.uuid4().hex, None
        self._wait_for(self._last_us, self._clock())
        return max(self._clock(), self._last_us + 1)

    def _wait_for(self, us: int, now: int) -> None:
        """An id ahead of the clock would stand in front of what others write until then."""
        if us - now > MAX_CLOCK_STEP_US:
            raise Unavailable("ids")
        if us > now:
            self._sleep((us - now) / 1_000_000)

    def _valid_lease(self, us: int) -> Lease:
        lease = self._lease
        if lease is not None and us + self._lease_us // 2 >= lease.end_us:
            lease = self._renewed(lease, us)
        if lease is None:
            lease = self._leases().acquire(owner=self._owner, now_us=us, length_us=self._lease_us)
        self._lease = lease
        return lease

    def _renewed(self, lease: Lease, us: int) -> Lease | None:
        """The renewed lease; the old one while it still lasts and the store does not answer."""
        try:
            return self._leases().renew(lease, now_us=us, length_us=self._lease_us)
        except Unavailable:
            if us < lease.end_us:
                return lease
            raise
