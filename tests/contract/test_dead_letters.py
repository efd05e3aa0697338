"""The dead-letter port: what was given up holds up nothing, and is there until someone decides."""

import random

import pytest

from storage.ids.snowflakes import MAX_ID, id_minute, make_id, now_us
from storage.ports.dead_letters import WHOLE, Attempt, DeadLetter, DeadLetters
from storage.ports.outbox import GRACE_US, Order, Outbox
from tests.ids import new_id

MINUTE_US = 60_000_000


def buried(letters: DeadLetters, outbox: Outbox, order_id: int | None = None) -> DeadLetter:
    """A dead letter whose order was open before."""
    order = Order(id=order_id or new_id(), kind="deliver", args=(new_id(), 7))
    outbox.add(order)
    letter = DeadLetter(order, "ValueError: никак", 5, now_us())
    letters.bury(letter)
    return letter


def ids(found: list[DeadLetter]) -> list[int]:
    return [letter.order.id for letter in found]


def test_an_order_that_was_given_up_is_not_open(letters: DeadLetters, outbox: Outbox) -> None:
    letter = buried(letters, outbox)
    assert outbox.open_order(letter.order.id) is None
    assert outbox.oldest_open() is None
    assert letters.read(letter.order.id) == letter
    assert letters.page(limit=10) == [letter]


def test_it_does_not_hold_its_minute(letters: DeadLetters, outbox: Outbox) -> None:
    letter = buried(letters, outbox)
    later = (id_minute(letter.order.id) + 3) * MINUTE_US + GRACE_US
    assert outbox.discard_closed(now_us=later) == 1
    assert letters.read(letter.order.id) == letter


def test_burying_twice_is_burying_once(letters: DeadLetters, outbox: Outbox) -> None:
    letter = buried(letters, outbox)
    letters.bury(letter)
    assert letters.page(limit=10) == [letter]
    assert letters.count(limit=10) == 1


def test_what_is_no_dead_letter(letters: DeadLetters) -> None:
    assert letters.read(new_id()) is None
    assert letters.replay(new_id()) is False
    assert letters.drop(new_id()) is False
    assert letters.page(limit=10) == []
    assert letters.count(limit=10) == 0


def test_pages_in_both_directions(letters: DeadLetters, outbox: Outbox) -> None:
    """Over all shards and over hours."""
    moments = [now_us() - hours * 3_600_000_000 - step * 1_001 for hours in (0, 1, 50) for step in range(8)]
    everything = sorted(make_id(moment, 1) for moment in moments)
    for each in random.Random(3).sample(everything, len(everything)):
        buried(letters, outbox, each)
    assert ids(letters.page(limit=100)) == everything
    assert ids(letters.page(limit=5)) == everything[:5]
    assert ids(letters.page(limit=5, newest_first=True)) == everything[:-6:-1]
    assert ids(letters.page(after=everything[4], limit=5)) == everything[5:10]
    assert ids(letters.page(before=everything[10], limit=5, newest_first=True)) == everything[5:10][::-1]
    assert ids(letters.page(after=everything[2], before=everything[5], limit=9)) == everything[3:5]
    assert [letters.count(limit=limit) for limit in (1, 24, 25)] == [1, 24, 24]


def test_pages_longer_than_a_read(letters: DeadLetters, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.cassandra.dead_letters.PAGE", 2)
    start = now_us()
    everything = sorted(make_id(start + step, 1) for step in range(40))
    for each in everything:
        buried(letters, outbox, each)
    assert ids(letters.page(limit=100)) == everything
    assert ids(letters.page(limit=100, newest_first=True)) == everything[::-1]
    assert letters.count(limit=100) == 40


def test_a_replayed_order_is_open_again_with_its_attempts_forgotten(letters: DeadLetters, outbox: Outbox) -> None:
    letter = buried(letters, outbox)
    order_id = letter.order.id
    letters.record_attempt(order_id, Attempt(WHOLE, 0, now_us(), "ValueError"))
    assert letters.replay(order_id) is True
    assert letters.read(order_id) is None
    assert letters.attempts([order_id]) == {}
    assert outbox.open_order(order_id) == letter.order
    assert outbox.open_orders(before=MAX_ID, limit=10) == [letter.order]
    assert letters.replay(order_id) is False
    outbox.mark_done(order_id)
    assert outbox.open_order(order_id) is None


def test_an_order_is_replayed_though_its_minute_was_forgotten(
    letters: DeadLetters, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = buried(letters, outbox, make_id(now_us() - 1_500 * MINUTE_US, 1))
    later = now_us() + 10 * MINUTE_US
    assert outbox.discard_closed(now_us=later) == 1
    monkeypatch.setattr("storage.cassandra.dead_letters.now_us", lambda: later)
    letters.replay(letter.order.id)
    assert outbox.open_orders(before=MAX_ID, limit=10) == [letter.order]
    outbox.discard_closed(now_us=now_us())
    assert outbox.open_order(letter.order.id) == letter.order


def test_an_order_may_die_replayed_and_die_again(letters: DeadLetters, outbox: Outbox) -> None:
    first = buried(letters, outbox)
    for _ in range(2):
        assert letters.replay(first.order.id)
        again = DeadLetter(first.order, "KeyError", 5, now_us() + 1_000)
        letters.bury(again)
        assert letters.read(first.order.id) == again
        assert outbox.open_order(first.order.id) is None


def test_a_replay_undoes_a_death_that_another_clock_says_is_still_to_come(letters: DeadLetters, outbox: Outbox) -> None:
    order = Order(id=new_id(), kind="deliver", args=(1, 2))
    outbox.add(order)
    letters.bury(DeadLetter(order, "ValueError", 5, now_us() + 20_000_000))
    assert letters.replay(order.id)
    assert outbox.open_order(order.id) == order
    assert letters.read(order.id) is None


def test_a_dropped_one_is_gone_and_its_order_stays_closed(letters: DeadLetters, outbox: Outbox) -> None:
    dropped, kept = buried(letters, outbox), buried(letters, outbox)
    assert letters.drop(dropped.order.id) is True
    assert letters.drop(dropped.order.id) is False
    assert letters.page(limit=10) == [kept]
    assert outbox.open_orders(before=MAX_ID, limit=10) == []


def test_attempts_count_until_they_end_well(letters: DeadLetters) -> None:
    one, other, untried = new_id(), new_id(), new_id()
    running, failed = Attempt(WHOLE, 0, 1_000), Attempt(3, 1, 2_000, "KeyError: 'x'")
    letters.record_attempt(one, running)
    letters.record_attempt(one, failed)
    letters.record_attempt(other, Attempt(WHOLE, 0, 5_000))
    found = letters.attempts([one, other, untried])
    assert sorted(found[one], key=lambda each: each.part) == [running, failed]
    assert set(found) == {one, other}
    letters.record_attempt(one, Attempt(WHOLE, 0, 0))
    letters.record_attempt(other, Attempt(WHOLE, 0, 0))
    assert letters.attempts([one, other, untried]) == {one: [failed]}
    letters.record_attempt(one, Attempt(3, 1, 9_000, "KeyError: 'y'"))
    assert letters.attempts([one]) == {one: [Attempt(3, 1, 9_000, "KeyError: 'y'")]}
