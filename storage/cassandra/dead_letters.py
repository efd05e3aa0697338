"""Attempts and dead letters in Cassandra.

Dead letters lie as orders do: partitions by shard and hour of the id, and a list of the hours that
hold some. They are few and go one by one, by an operator's hand; an hour that has lost its last
is taken off the list as of SETTLED_US ago, which hides no letter that is written meanwhile.

The letter is the truth of what is under way, written first and removed last: whoever died in between left an order
that is tried once more and buried again, or a letter that is replayed again.

Whether an order is open is told by the last write of `done`. Burying and replaying carry explicit
times for that: a replay is later than the death that it undoes, whatever the clocks say.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from storage.cassandra import session
from storage.cassandra.outbox import done_statement, reopening_statements
from storage.cassandra.session import Row
from storage.ids.snowflakes import MAX_ID, id_minute, now_us, spread
from storage.ports.dead_letters import Attempt, DeadLetter
from storage.ports.outbox import SETTLED_US, SHARDS, Order

PAGE = 1_000
"""Dead letters read at a time from one hour: at most 600 KB."""

_RECORD = "INSERT INTO outbox_attempts (order_id, part, slot, begun_us, error) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
_ATTEMPTS = "SELECT part, slot, begun_us, error FROM outbox_attempts WHERE order_id = ?"
_FORGET_ATTEMPTS = "DELETE FROM outbox_attempts USING TIMESTAMP ? WHERE order_id = ?"

_COLUMNS = "id, kind, args, error, attempts, died_us"
_INSERT = (
    "INSERT INTO dead_letters (shard, hour, id, kind, args, error, attempts, died_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
_INSERT_HOUR = "INSERT INTO dead_letter_hours (shard, hour) VALUES (?, ?) USING TIMESTAMP ?"
_DELETE = "DELETE FROM dead_letters USING TIMESTAMP ? WHERE shard = ? AND hour = ? AND id = ?"
_READ = f"SELECT {_COLUMNS} FROM dead_letters WHERE shard = ? AND hour = ? AND id = ?"  # noqa: S608
_PAGE = f"SELECT {_COLUMNS} FROM dead_letters WHERE shard = ? AND hour = ? AND id > ? AND id < ?"  # noqa: S608
_UPWARDS = f"{_PAGE} ORDER BY id ASC LIMIT ?"
_DOWNWARDS = f"{_PAGE} ORDER BY id DESC LIMIT ?"
_HOURS = "SELECT hour FROM dead_letter_hours WHERE shard = ? AND hour >= ? AND hour <= ?"
_UNLIST = "DELETE FROM dead_letter_hours USING TIMESTAMP ? WHERE shard = ? AND hour = ?"


class CassandraDeadLetters:
    """See `storage.ports.dead_letters.DeadLetters`. A page costs a read for each listed hour of each shard."""

    def record_attempt(self, order_id: int, attempt: Attempt) -> None:
        session.execute(_RECORD, (order_id, attempt.part, attempt.slot, attempt.begun_us, attempt.error, now_us()))

    def attempts(self, order_ids: Sequence[int]) -> dict[int, list[Attempt]]:
        found = session.execute_many(_ATTEMPTS, [(order_id,) for order_id in order_ids])
        recorded = {
            order_id: [Attempt(*row) for row in rows if row[2]] for order_id, rows in zip(order_ids, found, strict=True)
        }
        return {order_id: attempts for order_id, attempts in recorded.items() if attempts}

    def bury(self, letter: DeadLetter) -> None:
        order, at = letter.order, letter.died_us
        place = _place(order.id)
        values = (order.id, order.kind, list(order.args), letter.error, letter.attempts, at)
        session.write_all([(_INSERT_HOUR, (*place, at)), (_INSERT, (*place, *values, at))])
        session.execute(*done_statement(order.id, at_us=at))

    def read(self, order_id: int) -> DeadLetter | None:
        rows = session.execute(_READ, (*_place(order_id), order_id))
        return _letter(rows[0]) if rows else None

    def page(self, *, after: int = 0, before: int = MAX_ID, newest_first: bool = False, limit: int) -> list[DeadLetter]:
        found: list[DeadLetter] = []
        for shard, hours in _listed_hours(after, before):
            found += islice(_letters(shard, hours, after, before, newest_first), limit)
        return sorted(found, key=lambda letter: letter.order.id, reverse=newest_first)[:limit]

    def count(self, *, limit: int) -> int:
        listed = _listed_hours(0, MAX_ID)
        letters = (letter for shard, hours in listed for letter in _letters(shard, hours, 0, MAX_ID, False))
        return sum(1 for _ in islice(letters, limit))

    def replay(self, order_id: int) -> bool:
        letter = self.read(order_id)
        if letter is None:
            return False
        at = max(now_us(), letter.died_us + 1)
        session.execute(_FORGET_ATTEMPTS, (at, order_id))
        session.write_all(reopening_statements(letter.order, at_us=at))
        session.execute(_DELETE, (at, *_place(order_id), order_id))
        _unlist_if_empty(order_id)
        return True

    def drop(self, order_id: int) -> bool:
        letter = self.read(order_id)
        if letter is None:
            return False
        session.execute(_DELETE, (max(now_us(), letter.died_us + 1), *_place(order_id), order_id))
        _unlist_if_empty(order_id)
        return True


def _place(order_id: int) -> tuple[int, int]:
    return spread(order_id, SHARDS), _hour(order_id)


def _hour(order_id: int) -> int:
    return id_minute(order_id) // 60


def _letter(row: Row) -> DeadLetter:
    order_id, kind, args, error, attempts, died_us = row
    return DeadLetter(Order(order_id, kind, tuple(args or ())), error, attempts, died_us)


def _listed_hours(after: int, before: int) -> list[tuple[int, list[int]]]:
    """(shard, its hours that may hold something, ascending) of every shard. One round trip."""
    bounds = [(shard, _hour(after), _hour(before)) for shard in range(SHARDS)]
    listed = session.execute_many(_HOURS, bounds)
    return [(shard, [hour for (hour,) in rows]) for shard, rows in enumerate(listed)]


def _letters(shard: int, hours: Sequence[int], after: int, before: int, newest_first: bool) -> Iterator[DeadLetter]:
    """One shard's, in order; reads as far as it is asked."""
    for hour in reversed(hours) if newest_first else hours:
        low, high = after, before
        while True:
            rows = session.execute(_DOWNWARDS if newest_first else _UPWARDS, (shard, hour, low, high, PAGE))
            yield from map(_letter, rows)
            if len(rows) < PAGE:
                break
            low, high = (low, rows[-1][0]) if newest_first else (rows[-1][0], high)


def _unlist_if_empty(order_id: int) -> None:
    shard, hour = _place(order_id)
    seen = now_us() - SETTLED_US
    if not session.execute(_UPWARDS, (shard, hour, 0, MAX_ID, 1)):
        session.execute(_UNLIST, (seen, shard, hour))
