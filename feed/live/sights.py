"""Who may see what they are about to be told: asked at the moment of telling, of all who are told together at once.

A thread and a round trip for each socket would cost as much as all that is told to it. Those who ask before the read
begins are a *look*, and what it finds holds for each: none is told by what was known before they asked.
"""

import asyncio
from collections.abc import Collection, Mapping, Set
from itertools import islice
from typing import Any

from accounts.account_cache.accounts import UNHEARD, Heard, accounts_by_id, heard
from accounts.graph import exclusions
from accounts.graph.exclusions import Exclusions, Visibility, hidden_among, refreshed
from accounts.graph.protection import closed_to_each
from feed.live.threads import reading
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.reads import Read

AT_ONCE = 500
"""Viewers of whom it is asked in one round trip whom they must not see."""
REFRESHED = 50
"""Viewers whose exclusions are read from the store within one look: Redis was emptied, and the others' turn comes."""


Hidden = dict[int, frozenset[int] | Unavailable]
"""By viewer, whom of the authors they must not see; or why that cannot be known now."""


class _Look:
    """Viewers who ask at the same moment, and of whom; what is found."""

    def __init__(self) -> None:
        self.authors: dict[int, set[int]] = {}
        self.found: asyncio.Future[Hidden] = asyncio.get_running_loop().create_future()


class Sights:
    """It belongs to the event loop."""

    def __init__(self) -> None:
        self._next: _Look | None = None
        """Whom everybody joins who asks now."""
        self._looks: set[asyncio.Task[None]] = set()

    async def hidden(self, viewer_id: int, authors: Set[int]) -> frozenset[int]:
        """Returns which of the authors the viewer must not see, as of now or later: blocked, or protected and not
        followed. Of who is suspended everybody is told otherwise.

        One Redis round trip for AT_ONCE viewers; a read of their own for those whom it does not know, as for a page;
        and what it costs to know the accounts, and if some are protected a store read for all viewers. Raises
        `Unavailable`.
        """
        look = self._next
        if look is None or len(look.authors) == AT_ONCE:
            look = self._next = _Look()
            task = asyncio.get_running_loop().create_task(self._look(look))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)
        look.authors.setdefault(viewer_id, set()).update(authors)
        found = await asyncio.shield(look.found)
        hidden = found.get(viewer_id)
        if hidden is None:
            return await reading(_hidden, viewer_id, authors)
        if isinstance(hidden, Unavailable):
            raise hidden
        return hidden.intersection(authors)

    async def _look(self, look: _Look) -> None:
        """Runs once everybody who is told at the same time has asked."""
        if self._next is look:
            self._next = None
        try:
            look.found.set_result(await reading(hidden_of, look.authors))
        except Exception as error:
            look.found.set_exception(error)
            look.found.exception()  # whoever waits may be gone


def hidden_of(authors: Mapping[int, Collection[int]]) -> Hidden:
    """Returns whom of these authors each viewer must not see, of the viewers whom Redis knows, and of REFRESHED others.

    Of these as long as the store answers; where it does not, who has somebody protected among their authors cannot be
    told. Raises `Unavailable`, for Redis, and for accounts that can be had from nowhere.
    """
    viewers, known, at = list(authors), dict[int, Exclusions](), UNHEARD
    for start in range(0, len(viewers), AT_ONCE):
        some = viewers[start : start + AT_ONCE]
        asked: list[Read[Any]] = [heard(), *(exclusions.read(each) for each in some)]
        at, *answers = timeline_node().ask_all(asked)
        known |= {each: cached for each, cached in zip(some, answers, strict=True) if cached is not None}
    for viewer_id in islice((each for each in viewers if each not in known), REFRESHED):
        try:
            known[viewer_id] = refreshed(viewer_id)
        except Unavailable:
            break  # of the others Redis has just told
    hidden = {each: hidden_among(each, cached, authors[each], home=False) for each, cached in known.items()}
    closed = _closed_of({each: authors[each] for each in known}, at)
    return {each: _both(hidden[each], closed.get(each, frozenset())) for each in known}


def _both(hidden: frozenset[int], closed: frozenset[int] | Unavailable) -> frozenset[int] | Unavailable:
    return closed if isinstance(closed, Unavailable) else hidden | closed


def _closed_of(authors: Mapping[int, Collection[int]], at: Heard) -> Hidden:
    """Whom of the authors, protected, each viewer neither is nor follows; of viewers with such an author."""
    asked = {each for of_viewer in authors.values() for each in of_viewer}
    accounts = accounts_by_id(asked, changes=at.changes, log_shard=at.log_shard, generation=at.generation)
    protected = {each.id: each for each in accounts.values() if each.protected}
    asking = {
        viewer_id: [protected[each] for each in of_viewer if each in protected and each != viewer_id]
        for viewer_id, of_viewer in authors.items()
    }
    asking = {viewer_id: others for viewer_id, others in asking.items() if others}
    try:
        return {**closed_to_each(asking)}
    except Unavailable as error:
        return dict.fromkeys(asking, error)


def _hidden(viewer_id: int, authors: Set[int]) -> frozenset[int]:
    accounts = accounts_by_id(authors)
    return Visibility(viewer_id).unseen_among(accounts)


sights = Sights()
