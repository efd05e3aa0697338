"""Reading the outbox in Cassandra: which minutes a shard has, and the orders in them, open or not."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from storage.cassandra import session
from storage.cassandra.fronts import fronts
from storage.cassandra.session import Row
from storage.ids.settling import settled_place
from storage.ids.snowflakes import id_minute, now_us
from storage.ports.outbox import ALL_SHARDS, SETTLED_US, Order, last_closed_minute, oldest_first

PAGE = 5_000
"""Orders read at a time from one minute."""
UNLISTED_MINUTES = 2
"""So few are read as they are: to ask which of them are listed costs as much as to read those that are not."""

_ORDERS = "SELECT id, kind, args, done FROM outbox WHERE shard = ? AND minute = ? AND id > ? AND id < ? LIMIT ?"
_LISTED = "SELECT minute FROM outbox_minutes WHERE shard = ? AND minute >= ? AND minute <= ?"
_UNREAD = "SELECT minute FROM outbox_unread WHERE shard = ? AND minute >= ? AND minute <= ?"

Minutes = list[tuple[int, list[int]]]
"""(shard, minutes of it, ascending)."""


def listed_minutes(*, up_to: int, since: int = 0, shards: Collection[int] = ALL_SHARDS) -> Minutes:
    """Returns of each shard the minutes that may hold something that is open. One round trip."""
    return _minutes(_LISTED, shards, since, up_to)


def unread_minutes(*, up_to: int, since: int = 0) -> Minutes:
    """Returns of each shard the minutes that were set aside (discarding.py). One round trip.

    Read them after `listed_minutes`: a minute leaves these only when it is among those.
    """
    return _minutes(_UNREAD, ALL_SHARDS, since, up_to)


def _minutes(listing: str, shards: Collection[int], since: int, up_to: int) -> Minutes:
    listed = session.execute_many(listing, [(shard, since, up_to) for shard in shards])
    return [(shard, [minute for (minute,) in rows]) for shard, rows in zip(shards, listed, strict=True)]


def each_open(shard: int, minutes: Sequence[int], before: int, after: int = 0) -> Iterator[Order]:
    """Ascending; reads as far as it is asked. A mark whose order is not there (yet) is a row that is done."""
    for minute in minutes:
        for order_id, kind, args, done in _orders(shard, minute, before, after):
            if kind is not None and not done:
                yield Order(order_id, kind, tuple(args or ()))


def each_open_from_front(shard: int, minutes: Sequence[int], before: int) -> Iterator[Order]:
    """Does as `each_open`, but for what appears late where all was seen done (fronts.py)."""
    settled = settled_place()
    for minute in minutes:
        front = fronts.begin((shard, minute))
        done_up_to: int | None = front.up_to
        for order_id, kind, args, done in _orders(shard, minute, before, front.up_to):
            if kind is None or done:
                done_up_to = None if done_up_to is None else order_id
                continue
            if done_up_to is not None:
                fronts.move((shard, minute), front, min(done_up_to, settled))
                done_up_to = None
            yield Order(order_id, kind, tuple(args or ()))
        if done_up_to is not None:
            fronts.move((shard, minute), front, min(done_up_to, settled))


def orders_between(*, after: int, before: int, limit: int) -> list[Order]:
    """Returns what `Outbox.orders_between` does: minute by minute, each of all shards that have it side by side."""
    shards_of = _shards_of_minutes(since=id_minute(after), up_to=id_minute(before))
    found: list[Order] = []
    for minute in sorted(shards_of):
        for orders in _of_minute(minute, shards_of[minute], after, before, limit):
            found += orders
            if len(found) >= limit:
                return oldest_first(found, limit)
    return oldest_first(found, limit)


def _shards_of_minutes(*, since: int, up_to: int) -> Mapping[int, Collection[int]]:
    """By minutes, the shards that may have orders of them. None to two round trips: where all of them are so new that
    none counts as closed, be it by a clock that is SETTLED_US ahead, none is set aside."""
    if up_to - since < UNLISTED_MINUTES:
        return dict.fromkeys(range(since, up_to + 1), ALL_SHARDS)
    shards_of: defaultdict[int, set[int]] = defaultdict(set)
    found = listed_minutes(since=since, up_to=up_to)
    if since <= last_closed_minute(now_us() + SETTLED_US):
        found = [*found, *unread_minutes(since=since, up_to=up_to)]
    for shard, minutes in found:
        for minute in minutes:
            shards_of[minute].add(shard)
    return shards_of


def _of_minute(minute: int, shards: Collection[int], after: int, before: int, limit: int) -> Iterator[list[Order]]:
    """A minute's orders in steps: all of one are older than those of the next. No shard is known beyond the last of
    `limit` rows, among which may be marks of no order."""
    place: int | None = after
    while place is not None:
        of_shards = session.execute_many(_ORDERS, [(shard, minute, place, before, limit) for shard in shards])
        place = min((rows[-1][0] for rows in of_shards if len(rows) == limit), default=None)
        known = [row for rows in of_shards for row in rows if place is None or row[0] <= place]
        yield [Order(order_id, kind, tuple(args or ())) for order_id, kind, args, _ in known if kind is not None]


def _orders(shard: int, minute: int, before: int, after: int) -> Iterator[Row]:
    while True:
        rows = session.execute(_ORDERS, (shard, minute, after, before, PAGE))
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]
