"""What processes count together: small numbers that anybody may look at, without Prometheus.

A process adds up in memory, and a thread of its own tells the broker's Redis every TOLD_EVERY_SECONDS, in one round
trip; it is there only while there is something to tell. So counting costs a caller a microsecond and no round trip,
and waits for nothing. What Redis does not take is lost: these are figures to look at, and nothing depends on them.

Tallies stand in slots of SLOT_SECONDS of the clock. For example, two workers count 30 and 12 "deliveries" in the ten
seconds that begin at 1,700,000,010: `tally:170000001` then says 42 of them, to whoever asks until KEPT_SECONDS later.
"""

import threading
import time
from collections import defaultdict
from contextlib import suppress

from storage.errors import Unavailable
from storage.process import start_anew_after_fork
from storage.redis.node import broker_node
from storage.redis.reads import Command, Read

SLOT_SECONDS = 10
TOLD_EVERY_SECONDS = 2.0
"""A slot is complete so long after its end, clocks aside."""
KEPT_SECONDS = 300
KEYS_AT_ONCE = 10
"""A process tells of no more keys at a time: notes of some 5 things a second. What is beyond is not noted: 500 worker
processes keep 200 MB in ten minutes so, beside queues for which there has to be room."""


class Tallies:
    """What one process has counted and not told yet. Thread-safe; a forked child begins with nothing."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._once: dict[str, dict[str, int]] = defaultdict(dict)
        self._kept: dict[str, int] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Adds to the tally of that name in the slot of now. Never blocks, never raises."""
        with self._lock:
            self._add(slot_key(current_slot()), name, by, KEPT_SECONDS)

    def note(self, key: str, name: str, by: int, *, kept_seconds: int) -> None:
        """Adds to a number of that name under a key of its own, which is kept for so long after it was told last.

        Nothing while KEYS_AT_ONCE others wait to be told. Never blocks, never raises.
        """
        with self._lock:
            if self._has_room(key):
                self._add(key, name, by, kept_seconds)

    def note_once(self, key: str, name: str, value: int, *, kept_seconds: int) -> None:
        """Does the same of a number that is not added up: of several who note it the first is believed."""
        with self._lock:
            if self._has_room(key):
                self._once[key].setdefault(name, value)
                self._add(key, name, 0, kept_seconds)

    def _has_room(self, key: str) -> bool:
        return key in self._counted or len(self._counted) < KEYS_AT_ONCE

    def _add(self, key: str, name: str, by: int, kept_seconds: int) -> None:
        self._counted[key][name] += by
        self._kept[key] = kept_seconds
        if self._thread is None:
            self._start()

    def tell(self) -> None:
        """Tells Redis what was counted so far; drops it if Redis does not answer. One round trip, none for nothing."""
        with self._lock:
            counted, once, kept = self._counted, self._once, self._kept
            self._begin_anew()
        commands: list[Command] = []
        for key, numbers in counted.items():
            commands += [("HSETNX", key, name, value) for name, value in once.get(key, {}).items()]
            commands += [("HINCRBY", key, name, by) for name, by in numbers.items() if by]
            commands.append(("EXPIRE", key, kept[key]))
        with suppress(Unavailable):
            broker_node().round_trip(*commands)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="tallies", daemon=True)
        with suppress(RuntimeError):  # the process ends
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        """Tells until there is nothing to tell; whatever ends it, the next who counts starts another."""
        try:
            while self._goes_on():
                time.sleep(TOLD_EVERY_SECONDS)
                self.tell()
        finally:
            if self._thread is threading.current_thread():
                self._thread = None

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._counted:
                self._thread = None
            return bool(self._counted)


tallies = Tallies()


def current_slot() -> int:
    return int(time.time()) // SLOT_SECONDS


def slot_key(slot: int) -> str:
    return f"tally:{slot}"


def read(key: str) -> Read[dict[str, int]]:
    """Returns a read, for the broker, of the numbers under a key."""

    def decode(found: dict[bytes, bytes]) -> dict[str, int]:
        return {name.decode(): int(number) for name, number in found.items()}

    return Read((("HGETALL", key),), decode)
