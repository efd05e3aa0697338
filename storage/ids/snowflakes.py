"""Snowflake ids: unique without coordination per id, ordered by birth, 63 bits.

    bit 62 ............................ 12 11 ........ 0
        microseconds since EPOCH (51 bits)   worker (12 bits)

51 bits of microseconds last until 2082 (Twitter's own epoch), 12 bits allow 4,096
processes. Microseconds in place of Twitter's milliseconds + sequence: a process makes at
most one id a microsecond, needs no sequence counter, and the id's time is also Cassandra's
write timestamp (`write_timestamp`), so that "the last operation wins" orders by id.

**Unique**: a worker number is leased (storage/ids/leases.py); an id's microsecond lies inside its
process's lease, checked for every id, also after the process was stopped for hours; the next
lessee starts above the previous end. Within a process a microsecond is used once.

For example, 1,000 microseconds after EPOCH worker 5 makes id 1000 · 4096 + 5 = 4,096,005. Asked again within that
microsecond, it takes the next one: 4,100,101. Worker 6 may make 4,096,006 meanwhile. If worker 5 is stopped past its
lease's end, and number 5 is leased to another process, it finds its lease over when it goes on, asks, and is given
another number. 4,096,005 may become readable after 4,100,101: its write may take longer.

**Order of ids is order of birth, not of visibility**: a smaller id may become readable later.
"""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from storage.errors import Unavailable
from storage.ids.leases import Lease, WorkerLeases
from storage.process import start_anew_after_fork

EPOCH_US = 1_288_834_974_657_000
"""2010-11-04T01:42:54.657Z, Twitter's snowflake epoch; gives 19-digit ids from 2018 to 2082."""
WORKER_BITS = 12
WORKERS = 1 << WORKER_BITS
MAX_ID = (1 << 63) - 1
ID_DIGITS = len(str(MAX_ID))

LEASE_US = 60_000_000
"""One minute: a crashed process's number is free again after that long. Renewed at half time."""
MAX_CLOCK_STEP_US = 1_000_000
"""A clock that stepped back by up to this much is waited for; more is refused."""


SPREAD = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: consecutive multiples spread evenly (Knuth, TAOCP vol. 3, 6.4)."""


def make_id(us: int, worker: int) -> int:
    """Returns the id of Unix microsecond `us` made by `worker`."""
    return ((us - EPOCH_US) << WORKER_BITS) | worker


def id_us(snowflake: int) -> int:
    """Returns the Unix microsecond at which the id was made."""
    return (snowflake >> WORKER_BITS) + EPOCH_US


write_timestamp = id_us
"""Cassandra's write timestamp of an operation: microseconds, as the driver's own would be."""


def id_time(snowflake: int) -> datetime:
    """Returns the birth of an id, UTC, to the microsecond."""
    return datetime.fromtimestamp(id_us(snowflake) / 1_000_000, UTC)


def rfc3339(moment: datetime) -> str:
    """Returns a UTC moment as times travel: 2026-11-22T18:48:10.123Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def created_at(snowflake: int) -> str:
    """Returns the birth of an id, as it travels."""
    return rfc3339(id_time(snowflake))


def spread(snowflake: int, over: int) -> int:
    """Returns one of 0 … `over` - 1 for each id, evenly: ids differ in their low bits by worker only."""
    return ((snowflake * SPREAD) >> 40) % over


def id_month(snowflake: int) -> int:
    """Returns the month of an id as year * 12 + month - 1, so that it counts up by one."""
    moment = id_time(snowflake)
    return moment.year * 12 + moment.month - 1


def id_minute(snowflake: int) -> int:
    """Returns the minute of an id since the Unix epoch."""
    return id_us(snowflake) // 60_000_000


def now_us() -> int:
    """Returns the Unix microsecond of this machine's clock."""
    return time.time_ns() // 1000


class IdGenerator:
    """Makes ids for one process; thread-safe; leases anew in a forked child.

    Raises `Unavailable("ids")` when no lease can be had, or when the clock is behind what was made
    before by more than MAX_CLOCK_STEP_US. Costs no round trip, but one each half minute for the lease.
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
        self._owner = uuid.uuid4().hex
        self._lease: Lease | None = None
        self._last_us = 0
        start_anew_after_fork(self)

    def next(self, *, above: int = 0) -> int:
        """Makes a new id, greater than every id this generator made before, and than `above`.

        `above` is the operation that this one replaces. One made by a server whose clock is ahead
        is waited for up to MAX_CLOCK_STEP_US; further ahead it raises `Unavailable("ids")`.
        """
        above_us = id_us(above)
        self._wait_for(above_us)  # before the lock: other threads need not wait
        with self._lock:
            us = self._next_microsecond(above_us)
            lease = self._lease
            if lease is None or us + self._lease_us // 2 >= lease.end_us:
                self._lease = lease = self._asked(us)
                us = self._next_microsecond(max(above_us, lease.start_us - 1))
            if us >= lease.end_us:
                raise Unavailable("ids")
            self._last_us = us
            return make_id(us, lease.worker)

    def close(self) -> None:
        """Gives the worker number back, so that a restart need not wait for the lease to end."""
        with self._lock:
            if self._lease is not None:
                self._leases().release(self._lease, used_us=self._last_us)
            self._lease = None

    def start_anew(self) -> None:
        """Drops the parent's lease in a forked child, and the lock, which a thread of the parent may have held."""
        self._lock = threading.Lock()
        self._owner = uuid.uuid4().hex
        self._lease = None
        self._last_us = 0

    def _next_microsecond(self, above_us: int) -> int:
        """Returns a microsecond after `above_us` and the last one, whatever the clock says a moment later."""
        taken = max(above_us, self._last_us)
        self._wait_for(taken)
        return max(self._clock(), taken + 1)

    def _wait_for(self, us: int) -> None:
        """Waits until the clock is there: an id ahead of it would stand in front of what others write until then."""
        behind = us - self._clock()
        if behind > MAX_CLOCK_STEP_US:
            raise Unavailable("ids")
        if behind > 0:
            self._sleep(behind / 1_000_000)

    def _asked(self, us: int) -> Lease:
        """The lease for `us`: renewed, or another; the old one while it lasts and the store does not answer.

        Asking may take seconds, or the process be stopped meanwhile: the id's microsecond is taken after it.
        """
        held = renewed = self._lease
        if held is not None:
            try:
                renewed = self._leases().renew(held, now_us=us, length_us=self._lease_us)
            except Unavailable:
                if us >= held.end_us:
                    raise
        return renewed or self._leases().acquire(owner=self._owner, now_us=us, length_us=self._lease_us)


def id_in(text: str) -> int | None:
    """Returns the id that was typed or sent, 0 as well; None for what is none, however many digits it has."""
    if not (text.isascii() and text.isdecimal() and len(text) <= ID_DIGITS):
        return None
    return number if (number := int(text)) <= MAX_ID else None
