"""Handing an order to the workers from below fan-out, which knows how: config/orders.py says by what.

An order that is not announced, or whose announcement is lost, is found by the sweeper seconds later.
"""

from collections.abc import Callable

from storage.ports.outbox import Order

Send = Callable[[Order], None]

_send: list[Send] = []


def announce_by(send: Send) -> None:
    """Has orders announced by `send`, which neither waits nor raises. The last one counts."""
    _send[:] = [send]


def announce(order: Order | None) -> None:
    """Announces the order, if there is one and anybody to announce it by."""
    if order is not None:
        for send in _send:
            send(order)
