"""Who may see what they are about to be told: asked at the moment of telling, of all who are told together at once.

A thread and a round trip for each socket would cost as much as all that is told to it. Those who ask before the read
begins are a *look*, and what it finds holds for each: none is told by what was known before they asked.
"""

import asyncio
from collections.abc import Collection, Mapping, Set
from itertools import islice

from accounts.graph import exclusions
from accounts.graph.exclusions import Exclusions, Visibility, hidden_among, refreshed
from feed.live.threads import reading
from storage.errors import Unavailable
from storage.redis.node import timeline_node

AT_ONCE = 500
"""Viewers of whom it is asked in one round trip whom they must not see."""
REFRESHED = 50
"""Viewers whose exclusions are read from the store within one look: Redis was emptied, and the others' turn comes."""


class _Look:
    """Viewers who ask at the same moment, and of whom; what is found."""

    def __init__(self) -> None:
        self.authors: dict[int, set[int]] = {}
        self.found: asyncio.Future[dict[int, frozenset[int]]] = asyncio.get_running_loop().create_future()


class Sights:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._next: _Look | None = None
        """Whom everybody joins who asks now."""
        self._looks: set[asyncio.Task[None]] = set()

    async def hides(self, viewer_id: int, authors: Set[int]) -> bool:
        """Returns whether the viewer must not see one of the authors, as of now or later.

        One Redis round trip for AT_ONCE viewers; a read of their own for those whom it does not know, as for a page.
        Raises `Unavailable`.
        """
        look = self._next
        if look is None or len(look.authors) == AT_ONCE:
            look = self._next = _Look()
            task = asyncio.get_running_loop().create_task(self._look(look))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)
        look.authors.setdefault(viewer_id, set()).update(authors)
        found = await asyncio.shield(look.found)
        if viewer_id in found:
            return not found[viewer_id].isdisjoint(authors)
        return await reading(_hides, viewer_id, authors)

    async def _look(self, look: _Look) -> None:
        """Runs once everybody who is told at the same time has asked."""
        if self._next is look:
            self._next = None
        try:
            look.found.set_result(await reading(hidden_of, look.authors))
        except Exception as error:
            look.found.set_exception(error)
            look.found.exception()  # whoever waits may be gone


def hidden_of(authors: Mapping[int, Collection[int]]) -> dict[int, frozenset[int]]:
    """Returns whom of these authors each viewer must not see, of the viewers whom Redis knows, and of REFRESHED others.

    Of these as long as the store answers. Raises `Unavailable` for Redis.
    """
    viewers, known = list(authors), dict[int, Exclusions]()
    for start in range(0, len(viewers), AT_ONCE):
        some = viewers[start : start + AT_ONCE]
        answers = timeline_node().ask_all([exclusions.read(each) for each in some])
        known |= {each: cached for each, cached in zip(some, answers, strict=True) if cached is not None}
    for viewer_id in islice((each for each in viewers if each not in known), REFRESHED):
        try:
            known[viewer_id] = refreshed(viewer_id)
        except Unavailable:
            break  # of the others Redis has just told
    return {each: hidden_among(each, found, authors[each], home=False) for each, found in known.items()}


def _hides(viewer_id: int, authors: Set[int]) -> bool:
    return bool(Visibility(viewer_id).hidden_among(authors))


sights = Sights()
