"""How far orders are known to be done: what is not read again, and what is found all the same."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from storage.cassandra import session
from storage.cassandra.dead_letters import CassandraDeadLetters
from storage.cassandra.fronts import FRONT_SECONDS, RECENT_MINUTES, fronts
from storage.cassandra.outbox import CassandraOutbox
from storage.cassandra.session import Row
from storage.ids.settling import SETTLE_SECONDS
from storage.ids.snowflakes import MAX_ID, id_minute, make_id, now_us
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import Order

pytestmark = [pytest.mark.cassandra, pytest.mark.usefixtures("cassandra", "empty_cassandra_outbox")]

OUTBOX = CassandraOutbox()


def added(seconds_ago: float, count: int = 1) -> list[Order]:
    """Open orders that were born so long ago, oldest first."""
    start = now_us() - int(seconds_ago * 1_000_000)
    orders = [Order(make_id(start + number, 1), "deliver", (number,)) for number in range(count)]
    for order in orders:
        OUTBOX.add(order)
    return orders


def done(seconds_ago: float, count: int = 1) -> list[Order]:
    orders = added(seconds_ago, count)
    OUTBOX.mark_all_done_soon([order.id for order in orders])
    return orders


@contextmanager
def counted_rows() -> Iterator[list[int]]:
    """How many rows of orders are read inside, a number for each statement."""
    counts: list[int] = []
    execute = session.execute

    def counting(cql: str, params: tuple[object, ...] = ()) -> list[Row]:
        rows = execute(cql, params)
        if cql.startswith("SELECT id, kind, args, done"):
            counts.append(len(rows))
        return rows

    with patch.object(session, "execute", counting):
        yield counts


def test_what_was_seen_done_and_has_settled_is_not_read_again() -> None:
    done(SETTLE_SECONDS + 5, 40)
    [still_open] = added(SETTLE_SECONDS + 4)
    done(SETTLE_SECONDS + 3, 30)
    young = done(1, 20)
    with counted_rows() as first:
        assert OUTBOX.open_orders(before=MAX_ID, limit=10) == [still_open]
    assert sum(first) == 91
    with counted_rows() as again:
        assert OUTBOX.oldest_open() == still_open.id
        assert OUTBOX.open_orders(before=MAX_ID, limit=10) == [still_open]
    assert sum(again) < 2 * 60, "the forty below the front are not among them"
    OUTBOX.mark_done(still_open.id)
    assert OUTBOX.oldest_open() is None
    with counted_rows() as last:
        assert OUTBOX.oldest_open(before=young[0].id) is None
    assert sum(last) == 0
    with counted_rows() as of_young:
        assert OUTBOX.oldest_open() is None
    assert sum(of_young) == 20, "below which something may still appear"


def test_what_appears_among_the_young_is_found() -> None:
    done(1, 5)
    assert OUTBOX.oldest_open() is None
    [late] = added(SETTLE_SECONDS - 2)
    assert OUTBOX.oldest_open() == late.id


def test_what_appears_below_the_front_is_found_when_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    done(SETTLE_SECONDS + 3, 5)
    assert OUTBOX.oldest_open() is None
    [late] = added(SETTLE_SECONDS + 10)
    for _ in range(3):
        OUTBOX.oldest_open()
    now = time.monotonic()
    monkeypatch.setattr("storage.cassandra.fronts.time.monotonic", lambda: now + FRONT_SECONDS)
    assert OUTBOX.oldest_open() == late.id


def test_a_range_from_above_moves_no_front() -> None:
    [below] = added(SETTLE_SECONDS + 5)
    above = done(SETTLE_SECONDS + 4, 3)
    assert OUTBOX.open_orders(after=above[0].id, before=MAX_ID, limit=10) == []
    assert OUTBOX.oldest_open() == below.id


def test_who_reads_not_to_the_end_moves_it_no_farther_than_the_first_that_is_open() -> None:
    done(SETTLE_SECONDS + 6, 3)
    orders = added(SETTLE_SECONDS + 5, 3)
    for _ in range(2):
        assert OUTBOX.oldest_open() == min(order.id for order in orders)
        assert OUTBOX.count_open(limit=1) == 1
    assert OUTBOX.open_orders(before=MAX_ID, limit=10) == orders


def test_a_dead_letter_that_is_replayed_is_found_at_once() -> None:
    [order] = added((RECENT_MINUTES + 1) * 60 + 1)
    CassandraDeadLetters().bury(DeadLetter(order, "ValueError", 5, now_us()))
    done(90, 3)
    assert OUTBOX.oldest_open() is None
    assert CassandraDeadLetters().replay(order.id)
    assert OUTBOX.oldest_open() == order.id


def test_nothing_is_remembered_of_minutes_of_the_past() -> None:
    [order] = done((RECENT_MINUTES + 1) * 60 + 1)
    assert OUTBOX.oldest_open() is None
    assert [fronts.of((shard, id_minute(order.id))) for shard in range(8)] == [0] * 8
