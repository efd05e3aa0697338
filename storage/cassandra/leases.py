"""Worker numbers leased in Cassandra, by conditional writes only.

A number changes hands only by `IF end_us = <what was read>`, so of two that ask at once one
gets it. After a conditional write whose answer was lost, the row is read at SERIAL: it then
names its owner for certain.
"""

import random

from storage.cassandra import session
from storage.cassandra.failures import Undecided
from storage.errors import Unavailable
from storage.ids.leases import Lease
from storage.ids.snowflakes import WORKERS

CLOCK_SKEW_US = 10_000_000
"""A lease that ended less than this ago may still be renewed by its owner, whose clock is behind."""
ATTEMPTS = 16
"""Numbers tried before giving up; each fails only to another process that took it just now."""

_ALL = "SELECT worker, end_us FROM worker_leases"
_TAKE_NEW = "INSERT INTO worker_leases (worker, owner, end_us) VALUES (?, ?, ?) IF NOT EXISTS"
_TAKE_OVER = "UPDATE worker_leases SET owner = ?, end_us = ? WHERE worker = ? IF end_us = ?"
_EXTEND = "UPDATE worker_leases SET end_us = ? WHERE worker = ? IF owner = ?"
_GIVE_BACK = "UPDATE worker_leases SET owner = '', end_us = ? WHERE worker = ? IF owner = ?"
_HOLDER = "SELECT owner, end_us FROM worker_leases WHERE worker = ?"


class CassandraLeases:
    """See `storage.ids.leases.WorkerLeases`. Acquiring costs one scan of at most 4,096 rows and a conditional write."""

    def __init__(self, *, workers: int = WORKERS) -> None:
        self._workers = workers

    def acquire(self, *, owner: str, now_us: int, length_us: int) -> Lease:
        ends: dict[int, int] = {row[0]: row[1] for row in session.execute(_ALL)}
        free = [worker for worker in range(self._workers) if ends.get(worker, 0) < now_us - CLOCK_SKEW_US]
        for worker in random.sample(free, min(ATTEMPTS, len(free))):
            start = max(now_us, ends.get(worker, 0) + 1)
            lease = Lease(worker, owner, start, start + length_us)
            if _take(lease, ends.get(worker)):
                return lease
        raise Unavailable("ids")

    def renew(self, lease: Lease, *, now_us: int, length_us: int) -> Lease | None:
        """Lengthens the lease; never shortens it, though the clock stepped back."""
        end_us = max(lease.end_us, now_us + length_us)
        try:
            renewed = session.execute_if(_EXTEND, (end_us, lease.worker, lease.owner))
        except Undecided:
            holder, end_us = _holder(lease.worker)
            renewed = holder == lease.owner
        return Lease(lease.worker, lease.owner, lease.start_us, end_us) if renewed else None

    def release(self, lease: Lease, *, used_us: int) -> None:
        try:
            session.execute_if(_GIVE_BACK, (max(used_us + 1, lease.start_us), lease.worker, lease.owner))
        except Undecided:
            return


def _take(lease: Lease, seen_end_us: int | None) -> bool:
    try:
        if seen_end_us is None:
            return session.execute_if(_TAKE_NEW, (lease.worker, lease.owner, lease.end_us))
        return session.execute_if(_TAKE_OVER, (lease.owner, lease.end_us, lease.worker, seen_end_us))
    except Undecided:
        return _holder(lease.worker) == (lease.owner, lease.end_us)


def _holder(worker: int) -> tuple[str, int]:
    rows = session.read_serial(_HOLDER, (worker,))
    return (rows[0][0], rows[0][1]) if rows else ("", 0)
