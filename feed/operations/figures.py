"""The figures of the last hours, for a page that shows them without Prometheus.

A task of beat's takes one sample every SLOT_SECONDS, at a cost that does not grow with traffic or backlog: what
processes have counted together (storage/redis/tallies.py), the lengths of the queues, the outbox, the dead letters,
timelines and people connected, and which breakers are open where it runs. A backend that does not answer leaves its
figures out, and no others: a gap in a plot, at the time when one looks at it.

Samples stand in SQL, not in the Redis that they tell of, and KEPT_SECONDS of them: 2,160 rows of 300 bytes. A slot is
sampled once, by whoever comes first, BEHIND slots after it, when every process has told what it counted.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import structlog
from django.db import IntegrityError, transaction
from msgspec import structs

from accounts.sql import sql_or_unavailable
from fanout.live import presence
from fanout.live.figures import FRAMES, SOCKETS
from fanout.orders import resending
from fanout.orders.figures import DELIVERIES, ENTRIES, percentile
from fanout.orders.queues import BULK, FANOUT, GRAPH, NOTICES
from fanout.timelines.census import active_timelines
from feed.models import FigureSample
from feed.operations.breakers import breakers
from feed.timelines.home import COLD, WARM
from storage.breakers import State, worst_of
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.redis import tallies
from storage.redis.node import broker_node, timeline_node
from storage.redis.tallies import SLOT_SECONDS, current_slot
from storage.stores import dead_letters, outbox

KEPT_SECONDS = 6 * 3600
BEHIND = 2
COUNTED = 10_000
"""Counting open orders and dead letters stops here."""
MAINTENANCE = "maintenance"
QUEUES = (GRAPH, FANOUT, NOTICES, BULK, MAINTENANCE)

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One slot; None is what could not be looked at."""

    slot: int
    deliveries: float | None = None
    """A second, as `entries`."""
    entries: float | None = None
    lag_p50_ms: float | None = None
    lag_p99_ms: float | None = None
    hit_share: float | None = None
    """Of the pages of home, those that a timeline served as it was found."""
    queues: dict[str, int] | None = None
    open_orders: int | None = None
    oldest_open_seconds: float | None = None
    dead_letters: int | None = None
    timelines: int | None = None
    connected: int | None = None
    sockets: int | None = None
    frames: float | None = None
    """Sent to sockets, a second."""
    open_breakers: list[str] = []

    @property
    def at(self) -> int:
        """Returns when the slot began, in Unix seconds."""
        return self.slot * SLOT_SECONDS


def keep_sample() -> None:
    """Samples the last complete slot, unless that was done, and forgets what is older than KEPT_SECONDS.

    Of the slot before, which is passed over when a task runs a moment late, what was counted in it is kept as well. A
    fixed number of round trips and reads. Raises `Unavailable` if SQL does not answer.
    """
    slot = current_slot() - BEHIND
    if _is_kept(slot):
        return
    before = slot - 1
    if _is_kept(before - 1) and not _is_kept(before):
        _keep(_counted_in(before))
    _keep(sampled(slot))


def sampled(slot: int) -> Sample:
    """Returns the sample of a slot: what was counted in it, and what is so now. Raises nothing for who is down."""
    backlog = _answered(_backlog) or (None, None, None)
    return structs.replace(
        _counted_in(slot),
        queues=_answered(lambda: resending.all_queue_lengths(QUEUES)),
        open_orders=backlog[0],
        oldest_open_seconds=backlog[1],
        dead_letters=backlog[2],
        timelines=_answered(active_timelines),
        connected=_answered(lambda: timeline_node().ask(presence.connected())[0]),
        open_breakers=[name for name, some in breakers().items() if worst_of(some) is not State.CLOSED],
    )


def _counted_in(slot: int) -> Sample:
    """What all processes counted in the slot; nothing where the broker does not answer."""
    counted = _answered(lambda: broker_node().ask(tallies.read(tallies.slot_key(slot)))[0])
    if counted is None:
        return Sample(slot=slot)
    return Sample(
        slot=slot,
        deliveries=counted.get(DELIVERIES, 0) / SLOT_SECONDS,
        entries=counted.get(ENTRIES, 0) / SLOT_SECONDS,
        lag_p50_ms=percentile(counted, 0.5),
        lag_p99_ms=percentile(counted, 0.99),
        hit_share=_share(counted),
        sockets=counted.get(SOCKETS, 0),
        frames=counted.get(FRAMES, 0) / SLOT_SECONDS,
    )


@sql_or_unavailable()
def samples(seconds: int) -> list[Sample]:
    """Returns those of the last so many seconds, oldest first. One SQL query. Raises `Unavailable`."""
    since = current_slot() - BEHIND - seconds // SLOT_SECONDS
    rows = FigureSample.objects.filter(slot__gt=since).order_by("slot").values_list("slot", "figures")
    return [msgspec.convert({**figures, "slot": slot}, Sample) for slot, figures in rows]


@sql_or_unavailable()
def _is_kept(slot: int) -> bool:
    return FigureSample.objects.filter(slot=slot).exists()


@sql_or_unavailable()
def _keep(sample: Sample) -> None:
    figures = msgspec.to_builtins(sample)
    del figures["slot"]
    try:
        with transaction.atomic():
            FigureSample.objects.create(slot=sample.slot, figures=figures)
    except IntegrityError:
        log.info("figures_kept_by_another", slot=sample.slot)
    FigureSample.objects.filter(slot__lte=sample.slot - KEPT_SECONDS // SLOT_SECONDS).delete()


def _answered(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except Unavailable:
        return None


def _backlog() -> tuple[int, float, int]:
    oldest = outbox().oldest_open()
    open_orders = outbox().count_open(limit=COUNTED) if oldest is not None else 0
    seconds = 0.0 if oldest is None else max(now_us() - id_us(oldest), 0) / 1_000_000
    return open_orders, seconds, dead_letters().count(limit=COUNTED)


def _share(counted: dict[str, int]) -> float | None:
    pages = counted.get(WARM, 0) + counted.get(COLD, 0)
    return counted.get(WARM, 0) / pages if pages else None
