"""What somebody asks of a socket counts in the quota of their requests over REST, by the same counter.

Each `subscribe` is one, and so is each further page of a replay, as it would be over REST.
"""

import math
import time

from django.conf import settings

from accounts.sessions.authentication import SIGNED_IN, user_rate_key
from feed.live.frames import OverQuota
from feed.live.threads import housekeeping
from storage.redis.rate_limits import Hit, hit_all


class Quota:
    """Remembers who is over it, so that asking on and on costs no round trip. It belongs to the event loop."""

    def __init__(self) -> None:
        self._over: dict[int, float] = {}
        """Until when, by the monotonic clock."""

    async def count(self, reader_id: int) -> None:
        """Counts one request; nothing with RATE_LIMITS off. A Redis round trip. Raises `OverQuota`."""
        if not settings.RATE_LIMITS:
            return
        now = time.monotonic()
        if self._over.get(reader_id, now) <= now:
            [hit] = await housekeeping(_hits, reader_id)
            self._over = {each: until for each, until in self._over.items() if until > now and each != reader_id}
            if not hit.exceeded:
                return
            self._over[reader_id] = now + hit.resets_seconds
        left = round(self._over[reader_id] - now, 3)  # what floats make of a whole number is no second more
        raise OverQuota(max(1, math.ceil(left)))


def count_more(reader_id: int, amount: int) -> None:
    """Counts so many requests more, for one that costs as much; call it in a thread. A Redis round trip, none for 0.

    Raises `OverQuota`.
    """
    if amount > 0 and settings.RATE_LIMITS:
        [hit] = _hits(reader_id, amount)
        if hit.exceeded:
            raise OverQuota(hit.resets_seconds)


def _hits(reader_id: int, amount: int = 1) -> list[Hit]:
    return hit_all((SIGNED_IN, user_rate_key(reader_id)), amount=amount)


quota = Quota()
