"""Pushing what a note was taken for, and again when the note was outdated by then (timelines.py)."""

from collections.abc import Callable
from typing import TypeVar

from fanout import timelines
from fanout.orders import DELIVER
from fanout.timelines import Note
from storage.errors import Unavailable
from storage.outbox import Order
from storage.redis import timeline_node
from storage.stores import outbox

T = TypeVar("T")

PUSH_TRIES = 3
"""Of a push that came too late; then the order waits for the sweeper."""


def push_noted(order: Order, push: Callable[[Note | None], T | None]) -> T | None:
    """What `push` answers; None when the order was closed before, and nobody was pushed to.

    A delivery is noted before its readers are read, which `push` does; a retraction needs no
    note. `push` answers None when the note was outdated, and is called again with a new one.
    Costs a round trip and a store read more for each delivery. Raises `Unavailable`.
    """
    for _ in range(PUSH_TRIES):
        noted = timelines.note() if order.kind == DELIVER else None
        if noted is not None and outbox().open_order(order.id) is None:
            return None
        answer = push(noted)
        if answer is not None:
            return answer
    raise Unavailable(timeline_node().name)
