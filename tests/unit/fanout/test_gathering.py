"""Orders that wait for one another: the first at once, then all of a window, and no window without end."""

import pytest

from fanout.orders.gathering import GATHER_SECONDS, NUMBERS, TOGETHER, Gathering
from storage.ports.outbox import Order

HERE = ("redis_broker", "notify")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def order(number: int) -> Order:
    return Order(number, "notify", (number,))


def test_the_first_goes_at_once_and_so_does_one_after_a_pause() -> None:
    clock = Clock()
    gathering = Gathering(clock)
    assert gathering.add(HERE, order(1)) == [order(1)]
    assert gathering.seconds_left() is None
    clock.now += GATHER_SECONDS
    assert gathering.due() == []
    assert gathering.add(HERE, order(2)) == [order(2)]


def test_those_behind_it_go_together_when_the_window_ends_and_open_the_next_one() -> None:
    clock = Clock()
    gathering = Gathering(clock)
    gathering.add(HERE, order(1))
    clock.now += 0.4 * GATHER_SECONDS
    assert [gathering.add(HERE, order(each)) for each in (2, 3)] == [[], []]
    assert gathering.due() == []
    assert gathering.seconds_left() == pytest.approx(0.6 * GATHER_SECONDS)
    clock.now += GATHER_SECONDS
    assert gathering.seconds_left() == 0
    assert gathering.due() == [[order(2), order(3)]]
    assert gathering.due() == []
    assert gathering.add(HERE, order(4)) == [], "a flood goes on"
    clock.now += GATHER_SECONDS
    assert gathering.due() == [[order(4)]]


def test_a_message_is_never_longer_and_what_fills_it_waits_for_nothing() -> None:
    gathering = Gathering(Clock())
    sent = [gathering.add(HERE, order(each)) for each in range(2 * TOGETHER + 1)]
    assert [len(each) for each in sent if each] == [1, TOGETHER, TOGETHER]
    assert [each.id for batch in sent for each in batch] == list(range(2 * TOGETHER + 1))


def test_a_message_is_bounded_by_what_its_orders_say_too() -> None:
    """A tweet may mention ninety people."""
    gathering = Gathering(Clock())
    wide = [Order(each, "notify", tuple(range(182))) for each in range(9)]
    sent = [len(gathering.add(HERE, each)) for each in wide]
    assert sent == [1, 0, 0, 0, 0, 0, 6, 0, 0]
    assert len(gathering) == 2
    assert 5 * 182 < NUMBERS <= 6 * 182


def test_each_broker_and_kind_has_its_own() -> None:
    clock = Clock()
    gathering = Gathering(clock)
    places = [("one", "notify"), ("two", "notify"), ("one", "other")]
    assert [gathering.add(place, order(1)) for place in places] == [[order(1)]] * 3
    for number, place in enumerate(places, 2):
        gathering.add(place, order(number))
    clock.now += GATHER_SECONDS
    assert gathering.due() == [[order(2)], [order(3)], [order(4)]]


def test_nothing_is_remembered_of_what_has_ended() -> None:
    clock = Clock()
    gathering = Gathering(clock)
    for number in range(50):
        gathering.add((f"broker {number}", "notify"), order(number))
    clock.now += GATHER_SECONDS
    assert gathering.due() == []
    assert gathering._windows == {}
