"""Orders that go to the workers many in a message: those of which a flood costs more to send than to do.

The first of a kind goes at once. Those that its process writes within GATHER_SECONDS of it wait for one another, and go
together; and so on for as long as any come. So a single like is told of as soon as ever, and a thousand a second cost
their sender and their worker two messages a second and not a thousand.

For example, likes are written at 0.0, 0.1 and 0.3 s, and one at 5 s: the first is sent at 0.0, the two others together
at 0.5, and the last at 5.

What waits here is lost with its process, and then the sweeper finds it, as all that was not sent.
"""

import time
from collections.abc import Callable

import msgspec

from storage.ports.outbox import Order

GATHER_SECONDS = 0.5
"""So much later a notification may come of which there are many."""
TOGETHER = 200
"""Orders of one message, some ten milliseconds of work;"""
NUMBERS = 1_000
"""and so many arguments of theirs at most, unless one has more: a like has 4, a tweet that mentions 90 people 182."""

Place = tuple[str, str]
"""A broker's name, and a kind of orders."""


class _Window(msgspec.Struct):
    ends: float
    orders: list[Order] = []
    numbers: int = 0


class Gathering:
    """What one process gathers, by broker and kind. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[Place, _Window] = {}

    def add(self, place: Place, order: Order) -> list[Order]:
        """Takes an order; returns what is to be sent now, together: none if it has to wait for others."""
        window = self._windows.get(place)
        if window is None:
            self._windows[place] = _Window(self._clock() + GATHER_SECONDS)
            return [order]
        window.orders.append(order)
        window.numbers += len(order.args)
        return self._take(window) if len(window.orders) >= TOGETHER or window.numbers >= NUMBERS else []

    def due(self) -> list[list[Order]]:
        """Returns what has waited long enough, by what goes together."""
        now = self._clock()
        ended = [place for place, window in self._windows.items() if window.ends <= now]
        for place in [each for each in ended if not self._windows[each].orders]:
            del self._windows[place]
        return [self._take(self._windows[place]) for place in ended if place in self._windows]

    def seconds_left(self) -> float | None:
        """Returns after how many seconds something is due; None if nothing waits."""
        ends = [window.ends for window in self._windows.values() if window.orders]
        return max(0.0, min(ends) - self._clock()) if ends else None

    def __len__(self) -> int:
        return sum(len(window.orders) for window in self._windows.values())

    def _take(self, window: _Window) -> list[Order]:
        orders, window.orders, window.numbers = window.orders, [], 0
        window.ends = self._clock() + GATHER_SECONDS
        return orders
