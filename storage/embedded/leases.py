"""Worker numbers leased in SQLite, each step in one transaction that holds the write lock."""

from storage.embedded.base import answering, writing
from storage.errors import Unavailable
from storage.ids.leases import Lease
from storage.ids.snowflakes import WORKERS
from storage.models import WorkerLease


class EmbeddedLeases:
    """See `storage.ids.leases.WorkerLeases`. One machine has one clock, so no skew is allowed for."""

    def __init__(self, *, workers: int = WORKERS) -> None:
        self._workers = workers

    def acquire(self, *, owner: str, now_us: int, length_us: int) -> Lease:
        with writing():
            ends = dict(WorkerLease.objects.values_list("worker", "end_us"))
            worker = min(range(self._workers), key=lambda number: (ends.get(number, 0), number))
            if ends.get(worker, 0) > now_us:
                raise Unavailable("ids")
            start = max(now_us, ends.get(worker, 0))
            lease = Lease(worker, owner, start, start + length_us)
            WorkerLease.objects.update_or_create(worker=worker, defaults={"owner": owner, "end_us": lease.end_us})
        return lease

    def renew(self, lease: Lease, *, now_us: int, length_us: int) -> Lease | None:
        """Lengthens the lease; never shortens it, though the clock stepped back."""
        end_us = max(lease.end_us, now_us + length_us)
        with answering():
            renewed = WorkerLease.objects.filter(worker=lease.worker, owner=lease.owner).update(end_us=end_us)
        return Lease(lease.worker, lease.owner, lease.start_us, end_us) if renewed else None

    def release(self, lease: Lease, *, used_us: int) -> None:
        mine = WorkerLease.objects.filter(worker=lease.worker, owner=lease.owner)
        with answering():
            mine.update(owner="", end_us=max(used_us + 1, lease.start_us))
