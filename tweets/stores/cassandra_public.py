"""The public feed in Cassandra: everybody's tweets by time. The tables are in ../cql/003_public.cql.

One partition would take every write of the installation, so a tweet goes to the partition of
its minute and of one of SHARDS shards, both told from its id. Readers walk minutes away from
where they stand, and only such as hold something: an index names them by month, another one
the months.

**The index takes few writes.** Written with every tweet, it would be the hot partition over
again. A process leaves it out once a write of its own with the same place was
acknowledged: the index then stands at quorum, and nothing ever removes it. So each process
writes a place's index once a minute and shard; a tweet that is the first there writes both
or nothing.
"""

import threading
from collections.abc import Iterator, Sequence
from itertools import groupby

from cachetools import LRUCache

from storage.cassandra import session
from storage.cassandra.session import Statement
from storage.ids.snowflakes import MAX_ID, id_minute, id_month, spread, write_timestamp
from storage.ports.outbox import SHARDS

FEED = 0
"""The one key of the list of months."""
REMEMBERED = 4_096
"""Places whose index this process knows to stand; forgetting one costs a repeated write."""
FIRST_GROUP = 1
LARGEST_GROUP = 32
"""Minutes read side by side: 1, then 2, 4, … 32, so that a quiet night is read quickly, too."""
PLACES_A_READ = 256
"""Places taken from the index at a time: 32 minutes of a busy feed, hours of a quiet one."""

_INSERT = "INSERT INTO public_tweets (minute, shard, id) VALUES (?, ?, ?) USING TIMESTAMP ?"
_INSERT_MINUTE = "INSERT INTO public_minutes (month, minute, shard) VALUES (?, ?, ?) USING TIMESTAMP ?"
_INSERT_MONTH = "INSERT INTO public_months (feed, month) VALUES (?, ?) USING TIMESTAMP ?"
_DELETE = "DELETE FROM public_tweets USING TIMESTAMP ? WHERE minute = ? AND shard = ? AND id = ?"
_TWEETS = "SELECT id FROM public_tweets WHERE minute = ? AND shard = ? AND id >= ? AND id <= ?"
_PLACES = "SELECT minute, shard FROM public_minutes WHERE month = ? AND minute >= ? AND minute <= ?"
_MONTHS = "SELECT month FROM public_months WHERE feed = ? AND month >= ? AND month <= ?"

Place = tuple[int, int]
"""(minute, shard)."""


class PublicLog:
    """One process's view of the log; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed: LRUCache[Place, bool] = LRUCache(REMEMBERED)

    def insert(self, tweet_id: int, *, timestamp: int | None = None) -> list[Statement]:
        """Returns what is written with a tweet: one row, or three for the first tweet of its place.

        Written at the id's own time, unless at a later one.
        """
        minute, shard = _place(tweet_id)
        timestamp = write_timestamp(tweet_id) if timestamp is None else timestamp
        row: Statement = (_INSERT, (minute, shard, tweet_id, timestamp))
        with self._lock:
            if (minute, shard) in self._listed:
                return [row]
        month = id_month(tweet_id)
        return [row, (_INSERT_MINUTE, (month, minute, shard, timestamp)), (_INSERT_MONTH, (FEED, month, timestamp))]

    def remember_listed(self, tweet_id: int) -> None:
        """Remembers that the place is listed.

        To be called once the write of `insert`'s statements was acknowledged, and only then.
        """
        with self._lock:
            self._listed[_place(tweet_id)] = True

    @staticmethod
    def delete(tweet_id: int, *, timestamp: int) -> Statement:
        """Removes a row written before `timestamp`; its place stays listed."""
        return _DELETE, (timestamp, *_place(tweet_id), tweet_id)

    @staticmethod
    def read(*, before: int | None, after: int | None, limit: int) -> list[int]:
        """Returns ids below `before`, or the nearest above `after`, newest first.

        Three round trips when the nearest minute has enough: months, places, tweets.
        """
        upwards = after is not None
        low, high = (after or 0) + 1, MAX_ID if before is None else before - 1
        found: list[int] = []
        for minutes in _minutes(low, high, upwards):
            found += _nearest(minutes, low, high, limit - len(found), upwards)
            if len(found) >= limit:
                break
        return found[::-1] if upwards else found


def _place(tweet_id: int) -> Place:
    return id_minute(tweet_id), spread(tweet_id, SHARDS)


def _minutes(low: int, high: int, upwards: bool) -> Iterator[list[Place]]:
    """Groups of whole minutes' places between two ids, nearest first, growing; read as far as asked."""
    size = FIRST_GROUP
    for chunk in _places(low, high, upwards):
        minutes = [list(places) for _, places in groupby(chunk, key=lambda place: place[0])]
        while minutes:
            group, minutes = minutes[:size], minutes[size:]
            yield [place for places in group for place in places]
            size = min(size * 2, LARGEST_GROUP)


def _places(low: int, high: int, upwards: bool) -> Iterator[list[Place]]:
    """Chunks of the index, nearest first; no minute is cut in two."""
    order = "ASC" if upwards else "DESC"
    cql = f"{_PLACES} ORDER BY minute {order}, shard {order} LIMIT {PLACES_A_READ}"
    for (month,) in session.execute(f"{_MONTHS} ORDER BY month {order}", (FEED, id_month(low), id_month(high))):
        first, last = id_minute(low), id_minute(high)
        while rows := session.execute(cql, (month, first, last)):
            places = [(minute, shard) for minute, shard in rows]
            if len(places) < PLACES_A_READ:
                yield places
                break
            cut = places[-1][0]
            yield [place for place in places if place[0] != cut]
            first, last = (cut, last) if upwards else (first, cut)


def _nearest(places: Sequence[Place], low: int, high: int, limit: int, upwards: bool) -> list[int]:
    """The nearest ids of these places together, nearest first."""
    cql = f"{_TWEETS} ORDER BY id {'ASC' if upwards else 'DESC'} LIMIT ?"
    found = session.execute_many(cql, [(minute, shard, low, high, limit) for minute, shard in places])
    return sorted((tweet_id for rows in found for (tweet_id,) in rows), reverse=not upwards)[:limit]
