"""How far orders are known to be done: what is not read again, and what is found all the same."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from storage.cassandra import fronts as fronts_module
from storage.cassandra import session
from storage.cassandra.dead_letters import CassandraDeadLetters
from storage.cassandra.fronts import FRONT_SECONDS, Front, Place, fronts
from storage.cassandra.outbox import CassandraOutbox
from storage.cassandra.session import Row
from storage.ids.settling import SETTLE_SECONDS
from storage.ids.snowflakes import MAX_ID, id_minute, id_us, make_id, now_us, spread
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import SHARDS, Order

pytestmark = [pytest.mark.cassandra, pytest.mark.usefixtures("cassandra", "empty_cassandra_outbox")]

OUTBOX = CassandraOutbox()


def added(seconds_ago: float, count: int = 1, *, at_us: int | None = None) -> list[Order]:
    """Open orders that were born so long ago, or so long before that time, oldest first."""
    start = (at_us or now_us()) - int(seconds_ago * 1_000_000)
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


def swept() -> list[Order]:
    return OUTBOX.open_orders(before=MAX_ID, limit=10, may_miss_late=True)


def test_what_was_seen_done_and_has_settled_is_not_read_again() -> None:
    done(SETTLE_SECONDS + 5, 40)
    [still_open] = added(SETTLE_SECONDS + 4)
    done(SETTLE_SECONDS + 3, 30)
    done(1, 20)
    with counted_rows() as first:
        assert swept() == [still_open]
    assert sum(first) == 91
    with counted_rows() as again:
        assert swept() == [still_open]
    assert sum(again) <= 51, "the forty below the front are not among them"
    OUTBOX.mark_done(still_open.id)
    assert swept() == []
    with counted_rows() as last:
        assert swept() == []
    assert sum(last) == 20, "the young, below which something may still appear"
    with counted_rows() as of_others:
        assert OUTBOX.oldest_open() is None
    assert sum(of_others) == 91, "who has to know reads anew"


def test_what_appears_among_the_young_is_found() -> None:
    done(1, 5)
    assert swept() == []
    late = added(SETTLE_SECONDS - 2)
    assert swept() == late


def test_what_appears_below_the_front_is_found_when_that_is_forgotten_and_at_once_by_who_has_to_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now)
    of_each_shard = done(SETTLE_SECONDS + 3, 64)
    assert swept() == []
    [late] = added(7, at_us=id_us(of_each_shard[0].id))
    missing = [swept() for _ in range(3)]
    assert OUTBOX.oldest_open() == late.id
    assert OUTBOX.open_orders(before=MAX_ID, limit=10) == [late]
    if id_minute(late.id) == id_minute(of_each_shard[0].id):
        assert missing == [[], [], []]
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now + FRONT_SECONDS)
    assert swept() == [late]


def test_who_reads_not_to_the_end_moves_it_no_farther_than_the_first_that_is_open() -> None:
    done(SETTLE_SECONDS + 6, 3)
    orders = added(SETTLE_SECONDS + 5, 3)
    for _ in range(2):
        assert OUTBOX.open_orders(before=MAX_ID, limit=1, may_miss_late=True) == orders[:1]
    assert swept() == orders


def test_what_had_not_settled_when_it_was_read_is_read_again_however_long_the_reading_took() -> None:
    """A process that stood still between reading and remembering."""
    [young] = done(SETTLE_SECONDS - 5)
    place = (spread(young.id, SHARDS), id_minute(young.id))
    move = fronts.move
    moved: list[int] = []

    def later(of: Place, front: Front, up_to: int) -> None:
        moved.append(up_to)
        move(of, front, up_to)

    with patch.object(fronts, "move", later):
        assert swept() == []
    assert fronts.begin(place).up_to == max(moved) < young.id


def test_who_read_before_somebody_read_anew_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now, place = time.monotonic(), (1, 1)
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now)
    first = fronts.begin(place)
    fronts.move(place, first, 10)
    assert fronts.begin(place) is first
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now + FRONT_SECONDS)
    anew = fronts.begin(place)
    fronts.move(place, anew, 5)
    fronts.move(place, first, 20)
    assert (fronts.begin(place), anew.up_to) == (anew, 5)


def test_a_front_that_ends_while_it_is_read_from_is_not_prolonged(monkeypatch: pytest.MonkeyPatch) -> None:
    now, place = time.monotonic(), (1, 1)
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now)
    first = fronts.begin(place)
    fronts.move(place, first, 10)
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now + FRONT_SECONDS)
    fronts.move(place, first, 20)
    assert fronts.begin(place).up_to == 0


def test_a_dead_letter_that_is_replayed_is_found_when_the_front_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    [order] = added(SETTLE_SECONDS + 5)
    CassandraDeadLetters().bury(DeadLetter(order, "ValueError", 5, now_us()))
    assert swept() == []
    assert CassandraDeadLetters().replay(order.id)
    assert OUTBOX.oldest_open() == order.id
    now = time.monotonic()
    monkeypatch.setattr(fronts_module, "monotonic", lambda: now + FRONT_SECONDS)
    assert swept() == [order]
