"""What many sockets are told at once, at a bounded pace: so many entries of a topic at a time, the newest first kept.

A public feed has more in a second than anybody can read, and a reply to a tweet that everybody looks at is one of
hundreds. Each is published once, and each socket of the process would read and write all of them. So entries
are held until the next beat: after a quiet time that is at once. Of more than AT_A_TIME the newest are told, and before
them that some were left out (SKIPPED), which clients hear as a `gap`, to page from if they want.

**Watermark.** A beat's signal carries that of the moment when the first of its entries came, left out or not: what is
held back is not below any cursor that is given meanwhile.

For example, within a beat 12 tweets come, 101 to 112, at watermark 90; then 113, at 91. The first beat tells SKIPPED,
and 103 to 112, both at 90; the next one 113 at 91. A client that resumes from 90 misses neither 101 nor 113.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from heapq import heappush, heappushpop

from feed.live.streams.stream import Signal, SignalKind, Topic

BEAT_SECONDS = 0.5
AT_A_TIME = 10
"""So 20 tweets a second and stream: more than anybody reads, and one round of reads for each half second."""
REMEMBERED = 20_000
"""Entries that came lately, about 200 bytes each: an order that is done again, or a reply that is found again, is told
once. Who is told twice drops it by its id."""


class _Held:
    """Entries of one topic until the next beat."""

    def __init__(self, watermark: int) -> None:
        self.watermark = watermark
        self.newest: list[int] = []
        self.skipped = False

    def add(self, entry_id: int) -> None:
        if len(self.newest) < AT_A_TIME:
            heappush(self.newest, entry_id)
        else:
            heappushpop(self.newest, entry_id)
            self.skipped = True


class Pacing:
    """It belongs to the event loop. Bounded: AT_A_TIME entries a topic, and REMEMBERED in all."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Begins with nothing, on the event loop of who calls."""
        self._held: dict[Topic, _Held] = {}
        self._came = asyncio.Event()
        self._known: OrderedDict[tuple[Topic, int], None] = OrderedDict()

    def add(self, topic: Topic, entry_id: int, watermark: int) -> None:
        """Holds an entry for the next beat, unless it came before."""
        if (topic, entry_id) in self._known:
            return
        self.know(topic, [entry_id])
        self._held.setdefault(topic, _Held(watermark)).add(entry_id)
        self._came.set()

    def know(self, topic: Topic, entry_ids: Iterable[int]) -> None:
        """Takes the entries as told: they are from before."""
        for entry_id in entry_ids:
            self._known[topic, entry_id] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, entry_id: int) -> None:
        """Takes the entry for one that never came: it was deleted, and is restored. Looks through all that is known."""
        for known in [each for each in self._known if each[1] == entry_id]:
            del self._known[known]

    def skip(self, topic: Topic, watermark: int) -> None:
        """Says that entries were left out of which nobody here knows."""
        self._held.setdefault(topic, _Held(watermark)).skipped = True
        self._came.set()

    async def beat(self) -> list[Signal]:
        """Returns what is held, once there is something: of each topic SKIPPED, if need be, and TWEETS."""
        await self._came.wait()
        self._came.clear()
        held, self._held = self._held, {}
        return [signal for topic, each in held.items() for signal in _signals(topic, each)]


def _signals(topic: Topic, held: _Held) -> Iterable[Signal]:
    if held.skipped:
        yield Signal(SignalKind.SKIPPED, topic, held.watermark)
    if held.newest:
        yield Signal(SignalKind.TWEETS, topic, held.watermark, entries=tuple(sorted(held.newest)))
