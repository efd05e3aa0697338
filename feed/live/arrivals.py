"""An entry that came into the home timelines of many readers of this process is looked at once for all of them.

A socket asks when its pump has come to the entry, and it is looked at after that: so what each is shown holds at the
moment when it is written, as if it had asked alone. Those who ask at the same moment are a *look*: the tweet is read
once for all of the process (sharing.py), and then of TOGETHER readers in one thread whether it stands in their
timelines and what they see of it. Only reading is done together: nobody waits for another client to take a frame.
"""

import asyncio

from accounts.entities import Viewer
from feed.live.sharing import sharing
from feed.live.threads import reading
from feed.timelines.standing import Told, seen_at_home

TOGETHER = 200
"""Readers of one look: what a thread and a round trip cost is little beside them, and they wait for no more."""

_Asking = dict[int, list["asyncio.Future[Told]"]]
"""What the sockets of each reader wait for."""


class Arrivals:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._asking: dict[int, _Asking] = {}
        """Who is about to be looked at, by the entry."""
        self._looks: set[asyncio.Task[None]] = set()

    async def seen_by(self, viewer: Viewer, entry_id: int) -> Told:
        """Returns what the viewer is to be shown of the entry; `seen_at_home` has the costs. Raises `Unavailable`."""
        asking = self._asking.get(entry_id)
        if asking is None or len(asking) == TOGETHER:
            asking = self._asking[entry_id] = {}
            look = asyncio.get_running_loop().create_task(self._look(entry_id, asking))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        asking.setdefault(viewer.id, []).append(told)
        return await told

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


arrivals = Arrivals()
