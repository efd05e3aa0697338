"""Hashtags in Cassandra: the tweets of each by time. The tables are in ../cql/006_hashtags.cql.

A tag has partitions by day, and an index by month that says which of them there are; another one names the months. So
who reads walks days that hold something, and of a tag that nobody has used for years one row is read to know it.

**Busy tags** are spread. What a process writes of one tag and day goes to shard 0, up to QUIET rows; beyond that to one
of SHARDS others, by the id. No process knows of another's, and none needs to: whatever they choose, the index lists
it, and readers take all shards of a day together. So of nearly every tag a day is one partition, which is read for a
page, and of a tag with ten million tweets a day 17, of a few hundred thousand rows each.

For example, `#final` has 3 tweets in the morning, written by two processes: one partition. In the evening 5 million
come through 500 processes: 1,000 from each go there, too, and 4.5 million into 16 others, 280,000 each. A page of that
evening reads its 20 newest from each of the 17, side by side.

**A row stands where one process has put it.** Another one that repeats the write may put it elsewhere; so a deletion
goes to both places where it can be, and what a reader finds twice it takes once.
"""

import threading
from collections.abc import Iterator, Sequence
from itertools import groupby

from cachetools import LRUCache

from storage.cassandra import session
from storage.cassandra.lasting import Lasting
from storage.cassandra.session import Statement
from storage.ids.snowflakes import MAX_ID, id_minute, id_month, spread

DAY_MINUTES = 1_440
SHARDS = 16
"""Of a busy tag, besides shard 0."""
QUIET = 1_000
"""Rows of a tag and day that a process writes to shard 0: with a thousand processes a million, of 20 MB."""
COUNTED = 20_000
"""Tags and days of which a process knows how many it has written, about 200 bytes each. One that is forgotten begins
anew: it was written little."""
FIRST_GROUPS = (1, 8)
LARGEST_GROUP = 64
"""Places read side by side, in whole days: the nearest day, which is enough of a tag in use; then 8, 16, 32, 64, so
that one which is used once a month is read quickly, too."""

_INSERT = "INSERT INTO hashtag_tweets (tag, day, shard, id) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
_INSERT_DAY = "INSERT INTO hashtag_days (tag, month, day, shard) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
_INSERT_MONTH = "INSERT INTO hashtag_months (tag, month) VALUES (?, ?) USING TIMESTAMP ?"
_DELETE = "DELETE FROM hashtag_tweets USING TIMESTAMP ? WHERE tag = ? AND day = ? AND shard = ? AND id = ?"
_TWEETS = "SELECT id FROM hashtag_tweets WHERE tag = ? AND day = ? AND shard = ? AND id >= ? AND id <= ?"
_PLACES = "SELECT day, shard FROM hashtag_days WHERE tag = ? AND month = ? AND day >= ? AND day <= ?"
_MONTHS = "SELECT month FROM hashtag_months WHERE tag = ? AND month >= ? AND month <= ?"

Place = tuple[int, int]
"""(day, shard)."""


class HashtagLog:
    """One process's view of the listings; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: LRUCache[tuple[str, int], int] = LRUCache(COUNTED)
        """How many rows of a tag and day."""

    def insert(self, name: str, tweet_id: int, *, timestamp: int) -> list[Statement]:
        """Returns what lists a tweet: its row, and those of the index that are not known to stand."""
        day, shard = self._place(name, tweet_id)
        month = id_month(tweet_id)
        return [
            (_INSERT, (name, day, shard, tweet_id, timestamp)),
            Lasting(_INSERT_DAY, (name, month, day, shard, timestamp)),
            Lasting(_INSERT_MONTH, (name, month, timestamp)),
        ]

    @staticmethod
    def delete(name: str, tweet_id: int, *, timestamp: int) -> list[Statement]:
        """Removes a row written before `timestamp`; its place stays listed."""
        day = _day(tweet_id)
        return [(_DELETE, (timestamp, name, day, shard, tweet_id)) for shard in (0, _busy_shard(tweet_id))]

    @staticmethod
    def read(name: str, *, before: int | None, after: int | None, limit: int) -> list[int]:
        """Returns ids below `before`, or the nearest above `after`, newest first.

        Three round trips when the nearest days have enough: months, places, tweets. Else one more for each group of
        places, which is twice as large as the one before, and for each month.
        """
        upwards = after is not None
        low, high = (after or 0) + 1, MAX_ID if before is None else before - 1
        found: list[int] = []
        for places in _groups(name, low, high, upwards):
            found += _nearest(name, places, (low, high), limit - len(found), upwards)
            if len(found) >= limit:
                break
        return found[::-1] if upwards else found

    def _place(self, name: str, tweet_id: int) -> Place:
        day = _day(tweet_id)
        with self._lock:
            written = self._written.get((name, day), 0)
            self._written[name, day] = written + 1
        return day, 0 if written < QUIET else _busy_shard(tweet_id)


def _day(tweet_id: int) -> int:
    return id_minute(tweet_id) // DAY_MINUTES


def _busy_shard(tweet_id: int) -> int:
    return 1 + spread(tweet_id, SHARDS)


def _groups(name: str, low: int, high: int, upwards: bool) -> Iterator[list[Place]]:
    """Groups of whole days' places between two ids, nearest first, growing; read as far as asked."""
    size, larger = FIRST_GROUPS
    group: list[Place] = []
    for of_day in _days(name, low, high, upwards):
        group += of_day
        if len(group) >= size:
            yield group
            group, size, larger = [], larger, min(larger * 2, LARGEST_GROUP)
    if group:
        yield group


def _days(name: str, low: int, high: int, upwards: bool) -> Iterator[list[Place]]:
    """The places of each day between two ids, nearest first; the index is read as far as asked, a month at a time."""
    order = "ASC" if upwards else "DESC"
    months = session.execute(f"{_MONTHS} ORDER BY month {order}", (name, id_month(low), id_month(high)))
    for (month,) in months:
        rows = session.execute(f"{_PLACES} ORDER BY day {order}, shard {order}", (name, month, _day(low), _day(high)))
        places = [(day, shard) for day, shard in rows]
        yield from (list(of_day) for _, of_day in groupby(places, key=lambda place: place[0]))


def _nearest(name: str, places: Sequence[Place], between: tuple[int, int], limit: int, upwards: bool) -> list[int]:
    """The nearest ids of these places together, nearest first."""
    cql = f"{_TWEETS} ORDER BY id {'ASC' if upwards else 'DESC'} LIMIT ?"
    found = session.execute_many(cql, [(name, day, shard, *between, limit) for day, shard in places])
    return sorted({tweet_id for rows in found for (tweet_id,) in rows}, reverse=not upwards)[:limit]
