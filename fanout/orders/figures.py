"""What workers count of fan-out: deliveries, how late they were, and, of a few entries, how far they have come.

*Lag* is the time from an entry's birth until the last of its followers was pushed to: until its order was done. It is
counted in classes that grow by a quarter of a doubling, so that percentiles of all workers together are right to 19 %,
however many they are.

What is delivered again counts again.

An entry's own figures are notes: of at most some five entries a second and process, for NOTED_SECONDS. What an
entry's timelines hold now is looked up where it matters (feed/operations/fanning.py).
"""

import math
import time
from collections.abc import Mapping, Sequence

import msgspec
from prometheus_client import Counter, Histogram

from storage.ids.snowflakes import id_us, now_us
from storage.redis import tallies as tally
from storage.redis.node import broker_node
from storage.redis.reads import Read
from storage.redis.tallies import tallies

DELIVERIES, ENTRIES, LAG, WORKED = "deliveries", "entries", "lag:", "worked:"
SMALL, LARGE, PULLED = "small", "large", "pulled"
"""An author whom one worker pushes for; whose order is handed out in parts; and who is merged when followers read."""
LAG_SECONDS = Histogram(
    "fanout_lag_seconds",
    "From an entry's birth until its order was done, by size of author.",
    ["size"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
_LAG = {size: LAG_SECONDS.labels(size) for size in (SMALL, LARGE, PULLED)}
DELIVERED = Counter("fanout_deliveries", "Entries put into active timelines; again counts again.")
ORDERS = Counter("fanout_orders", "Attempts at orders, and at parts of large ones.", ["kind", "outcome"])
DONE, WAITS, FAILED, CLOSED, GIVEN_UP = "done", "waits", "failed", "closed", "given_up"
"""Ended without a fault; a backend did not answer; a fault of its own; nothing was left to do; a dead letter now."""
CLASSES_A_DOUBLING = 4
NOTED_SECONDS = 600


class Note(msgspec.Struct, frozen=True):
    """What workers noted of one entry: active timelines that were reached, and when its order was done, if it was."""

    reached: int
    done_us: int | None


def count_reached(entry_id: int, active: int) -> None:
    """Counts deliveries into so many active timelines."""
    tallies.count(DELIVERIES, active)
    DELIVERED.inc(active)
    tallies.note(note_key(entry_id), "reached", active, kept_seconds=NOTED_SECONDS)


def count_done(entry_id: int, size: str) -> None:
    """Counts an entry whose order is done, and how late that was. `size` is one of SMALL, LARGE and PULLED."""
    done_us = now_us()
    _LAG[size].observe(max(0, done_us - id_us(entry_id)) / 1_000_000)
    tallies.count(ENTRIES)
    tallies.count(f"{LAG}{class_of((done_us - id_us(entry_id)) / 1_000)}")
    tallies.note_once(note_key(entry_id), "done_us", done_us, kept_seconds=NOTED_SECONDS)


def count_attempt(kind: str, outcome: str) -> None:
    """Counts an attempt at an order of a kind; `kind` is one that is registered (handlers.py), or "unknown"."""
    ORDERS.labels(kind, outcome).inc()


def count_worked(queue: str) -> None:
    """Counts a message that a worker has taken off a queue: an order, or a part of one; of those that notify many."""
    tallies.count(WORKED + queue)


def worked_a_second(queues: Sequence[str]) -> dict[str, float]:
    """Returns how many messages all workers took off each queue, a second, in this slot or the last, whichever is more.

    Two seconds late. One round trip to the broker. Raises `Unavailable`.
    """
    slot = tally.current_slot()
    since = time.time() - slot * tally.SLOT_SECONDS
    now, before = broker_node().ask(tally.read(tally.slot_key(slot)), tally.read(tally.slot_key(slot - 1)))
    seconds = max(since, tally.TOLD_EVERY_SECONDS)
    return {
        queue: max(now.get(WORKED + queue, 0) / seconds, before.get(WORKED + queue, 0) / tally.SLOT_SECONDS)
        for queue in queues
    }


def note_of(entry_id: int) -> Read[Note | None]:
    """Returns a read, for the broker, of what was noted of the entry; None if nothing was, or no longer."""

    def decode(found: dict[bytes, bytes]) -> Note | None:
        if not found:
            return None
        numbers = tally.read("").decode(found)
        return Note(numbers.get("reached", 0), numbers.get("done_us"))

    return Read((("HGETALL", note_key(entry_id)),), decode)


def note_key(entry_id: int) -> str:
    return f"fanned:{entry_id}"


def class_of(milliseconds: float) -> int:
    """Returns the class of a lag: 0 up to a millisecond, and one more for each quarter of a doubling."""
    return 0 if milliseconds <= 1 else math.ceil(math.log2(milliseconds) * CLASSES_A_DOUBLING)


def percentile(counted: Mapping[str, int], share: float) -> float | None:
    """Returns the upper bound, in milliseconds, of the class in which that share of the lags ends; None without any."""
    classes = sorted((int(name.removeprefix(LAG)), n) for name, n in counted.items() if name.startswith(LAG))
    wanted = share * sum(n for _, n in classes)
    passed = 0
    for number, n in classes:
        passed += n
        if passed >= wanted:
            return math.pow(2, number / CLASSES_A_DOUBLING)
    return None
