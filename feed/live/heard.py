"""The newest deletions, as this process has heard of them: what a socket that resumes may have missed.

Whoever resumes begins some 20 s back at least, and sockets of a process resume together; so they are not answered from
the store's log of deletions each, but from memory. Every deletion is told on the live channel after it was written.
So what is heard from the subscription's beginning on, together with one reading of the log since that, is everything
above the place where the reading began.

For example, a subscription stands, and 70 is heard. A socket resumes from 50: the log is read above 50 and says 60
and 70. From now on whoever resumes from 50 or above is answered without the store. The next one resumes from 40, and
the log is read between 40 and 50. The subscription breaks: nothing of all that counts any more.

**What staff have restored** is forgotten: nobody may be told to take off what stands again. That it is back is told on
the live channel too, behind its deletion (fanout/timelines/restoring.py); and of the log what stands again by then is
left out, as of two deletions at the same moment a restoration takes back one only. What the log said before a tweet
was back may arrive here after that was told: so what was told lately is remembered.
"""

import asyncio
from array import array
from bisect import bisect_right
from collections import OrderedDict

from feed.live.threads import reading
from storage.ids.snowflakes import MAX_ID
from tweets.entities import Deletion
from tweets.stores.port import tweet_store

RESTORED_KEPT = 1_000
"""Restorations that a reading of the log may have missed: by hand, and of the last seconds."""
KEPT = 20_000
"""24 bytes each: half a megabyte. At 100 deletions a second, 200 s."""
LOG_PAGE = 1_000
"""Deletions of one read of the log."""


class TooMany(Exception):
    """More was deleted since than is remembered."""


class Heard:
    """The newest KEPT deletions by their operations. It belongs to the event loop."""

    def __init__(self) -> None:
        self._forget(None)

    def begin(self) -> None:
        """A subscription stands from now on: forgets what was heard by the one before."""
        self._forget(object())

    def end(self) -> None:
        """The subscription is broken: nothing is known until another one begins."""
        self._forget(None)

    def _forget(self, life: object | None) -> None:
        self._life = life
        """Of one subscription; what is read for another one is not remembered."""
        self._reading = asyncio.Lock()
        self._ops, self._tweets, self._authors = array("Q"), array("Q"), array("Q")
        self._complete_above = MAX_ID
        self._dropped = 0
        """The newest operation that there was no room for."""
        self._restored: OrderedDict[int, int] = OrderedDict()
        """The newest restorations: by tweet, their operations."""

    def back(self, op: int, tweet_id: int) -> None:
        """A tweet was restored: forgets its deletions before that."""
        self._restored[tweet_id] = max(op, self._restored.pop(tweet_id, 0))
        if len(self._restored) > RESTORED_KEPT:
            self._restored.popitem(last=False)
        places = [place for place, each in enumerate(self._tweets) if each == tweet_id and self._ops[place] < op]
        for place in reversed(places):
            del self._ops[place], self._tweets[place], self._authors[place]

    def add(self, op: int, tweet_id: int, author_id: int) -> None:
        """Remembers a deletion, and may forget the oldest for it. Idempotent."""
        place = bisect_right(self._ops, op)
        if place and (self._ops[place - 1], self._tweets[place - 1]) == (op, tweet_id):
            return
        self._ops.insert(place, op)
        self._tweets.insert(place, tweet_id)
        self._authors.insert(place, author_id)
        if len(self._ops) > KEPT:
            self._dropped = max(self._dropped, self._ops[0])
            self._complete_above = max(self._complete_above, self._dropped)
            del self._ops[0], self._tweets[0], self._authors[0]

    async def since(self, after: int) -> list[Deletion]:
        """Returns everybody's deletions above `after`, ascending.

        From memory; for the first who asks from so far back, from the store's log too, a page after the other,
        which is remembered. Raises `TooMany`, and `Unavailable`.
        """
        if after < self._complete_above:
            async with self._reading:
                if after < self._complete_above:
                    found = await self._read_log(after)
                    if found is not None:
                        return found
        if after < self._complete_above:
            raise TooMany
        place = bisect_right(self._ops, after)
        kept = zip(self._ops[place:], self._tweets[place:], self._authors[place:], strict=True)
        return [Deletion(*each) for each in kept]

    async def _read_log(self, after: int) -> list[Deletion] | None:
        """Reads what is not known above `after`; returns it only if it cannot be remembered: nobody listens now."""
        life = self._life
        room = KEPT if self._complete_above == MAX_ID else KEPT - len(self._ops)
        low = min(self._complete_above + 1, MAX_ID)
        found: list[Deletion] = []
        while low > after + 1 and len(found) < room:
            page, low = await reading(_log_page, after, low)
            found += page
        if life is not None and life is self._life:
            for each in found:
                if each.op > self._restored.get(each.tweet_id, 0):
                    self.add(each.op, each.tweet_id, each.author_id)
            self._complete_above = max(low - 1, self._dropped)
            return None
        if low > after + 1:
            raise TooMany
        return sorted(found, key=lambda each: each.op)


def _log_page(after: int, before: int) -> tuple[list[Deletion], int]:
    """The newest deletions of the log between the two, but for what stands again; and above what they are complete."""
    page = tweet_store().deletions(after=after, before=before, limit=LOG_PAGE)
    found = tweet_store().get_many([each.tweet_id for each in page]) if page else {}
    standing = {each.id for each in found.values() if not each.deleted}
    return [each for each in page if each.tweet_id not in standing], page[0].op if len(page) == LOG_PAGE else after + 1


heard = Heard()
