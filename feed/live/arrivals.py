"""An entry that came into the home timelines of many readers of this process is looked at once for all of them.

It is looked at after it has come: so what each is shown holds at the moment when it is written, as if it had asked
alone. The tweet is read once for all of the process (sharing.py), and then of TOGETHER readers in one thread whether it
stands in their timelines and what they see of it: a *look*.

**Sockets that have nothing else to do** are told without their pumps (`tell`): their queues are held while the look is
under way, so that all else keeps its order, and the frame is written to each as it is. To wake a pump for a frame, and
pass it through the layers of the server, cost 65 µs of 95 (docs/adr/041). What the look does not tell of a socket, or
what it cannot be written at once, its pump does by itself. Of one entry a look follows the other, whatever number of
messages has brought it: a thread that reads beside the loop that writes costs both a change of hands with each frame
(docs/adr/059).

**Pumps** that come to the entry among other things ask by themselves (`seen_by`); those who ask at the same moment are
a look, too. Nobody ever waits for another client to take a frame.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from accounts.entities import Viewer
from fanout.live.figures import live_figures
from feed.live.registry import Held, registry
from feed.live.sharing import sharing
from feed.live.streams.shown import Shown
from feed.live.streams.stream import HOME, Signal, SignalKind, Topic
from feed.live.threads import reading
from feed.timelines.home import InHome
from feed.timelines.standing import Told, seen_at_home
from storage.spans import Kind
from storage.tracing import order_work, traced

TOGETHER = 500
"""Readers of one look: what a thread and a round trip cost is little beside them, and to write to them keeps the loop
busy for some 8 ms. Of more, a look waits for another."""
LOOKING_SECONDS = 1.0
"""Whom one look after the other has not come to by then their pumps tell, side by side: behind them waits whatever else
their sockets are to hear."""

_Asking = dict[int, list["asyncio.Future[Told]"]]
"""What the sockets of each reader wait for."""


class _Came(NamedTuple):
    """An entry, and the watermark of the moment when it came."""

    entry_id: int
    watermark: int

    def signal(self, reader_id: int) -> Signal:
        """Returns what a pump is told of it."""
        return Signal(SignalKind.TWEET, Topic(HOME, reader_id), self.watermark, self.entry_id)


class Arrivals:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._asking: dict[int, _Asking] = {}
        """Who is about to be looked at, by the entry."""
        self._waiting: dict[_Came, list[Held]] = {}
        """Sockets that are held until one look after the other has come to them."""
        self._looks: set[asyncio.Task[None]] = set()

    def tell(self, reader_ids: Sequence[int], entry_id: int) -> None:
        """Has every socket told that listens to the home of one of these readers: here, or by its pump."""
        came = _Came(entry_id, registry.watermark)
        held = registry.hold_idle(reader_ids, entry_id)
        waiting = self._waiting.get(came)
        if waiting is not None:
            waiting += held
        elif held:
            self._waiting[came] = held
            self._begin(self._tell(held, came)).add_done_callback(lambda _: self._release(came))

    async def seen_by(self, viewer: Viewer, entry_id: int) -> Told:
        """Returns what the viewer is to be shown of the entry; `seen_at_home` has the costs. Raises `Unavailable`."""
        asking = self._asking.get(entry_id)
        if asking is None or len(asking) == TOGETHER:
            asking = self._asking[entry_id] = {}
            self._begin(self._look(entry_id, asking))
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        asking.setdefault(viewer.id, []).append(told)
        return await told

    def _begin(self, look: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(look)
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)
        return task

    @order_work("live.arrive", lambda _self, _held, came: came.entry_id, Kind.CONSUMER)
    async def _tell(self, held: list[Held], came: _Came) -> None:
        """Tells the sockets that are held, and those that come to them, TOGETHER at a time, for LOOKING_SECONDS.

        A look that fails is the last: the others would wait as long again.
        """
        ends = time.monotonic() + LOOKING_SECONDS
        while held and time.monotonic() < ends:
            some = held[:TOGETHER]
            seen = await _seen(some, came.entry_id)
            if not seen:
                break
            _write(some, seen, came)
            del held[: len(some)]

    def _release(self, came: _Came) -> None:
        """Has the pumps of those that are still held go on, whatever has become of the looks."""
        for each in self._waiting.pop(came):
            each.queue.release(came.signal(each.reader_id))

    async def _look(self, entry_id: int, asking: _Asking) -> None:
        """Tells everybody who has asked until the tweet was there."""
        try:
            entry = await sharing.of((entry_id,))
            self._close(entry_id, asking)
            seen = await reading(seen_at_home, list(asking), entry_id, entry)
        except Exception as error:
            self._close(entry_id, asking)
            for told in (each for waiting in asking.values() for each in waiting if not each.done()):
                told.set_exception(error)
            return
        for reader_id, waiting in asking.items():
            for told in waiting:
                if not told.done():
                    told.set_result(seen[reader_id])

    def _close(self, entry_id: int, asking: _Asking) -> None:
        """Who asks from now on is of another look."""
        if self._asking.get(entry_id) is asking:
            del self._asking[entry_id]


async def _seen(held: Sequence[Held], entry_id: int) -> Mapping[int, Told]:
    """What each reader is to be shown; nobody is known if that fails: each pump asks, and tells its client why."""
    readers = list({each.reader_id: None for each in held})
    with suppress(Exception):
        entry = await sharing.of((entry_id,))
        return await reading(seen_at_home, readers, entry_id, entry)
    return {}


@traced("live.frames", Kind.PRODUCER, lambda held, *_: {"feed.sockets": len(held)})
def _write(held: Sequence[Held], seen: Mapping[int, Told], came: _Came) -> None:
    """Writes to each socket what its reader is to be shown; has its pump do it where that is not known or possible."""
    views: dict[int, Shown] = {}
    for queue, stream, reader_id in held:
        told = seen.get(reader_id, InHome.UNKNOWN)
        if isinstance(told, InHome):
            queue.release(came.signal(reader_id))
            continue
        shown = views.get(id(told))
        if shown is None:
            shown = views[id(told)] = Shown(told)
        frames, wire = stream.show(shown, came.watermark), queue.wire
        if wire is not None and wire.write_now(frames):
            live_figures.frames += len(frames)
            queue.release()
        else:
            queue.release(came.signal(reader_id))


arrivals = Arrivals()
