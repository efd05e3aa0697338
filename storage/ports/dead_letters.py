"""The dead-letter port: attempts at orders, and orders that were given up.

Attempts are counted here because the broker cannot: it redelivers the task of a killed worker
for ever, and may forget everything. An attempt is a row of its own, written before the work
begins, so that one which kills its process is counted as well. Its row is written over when it
ends, never deleted: an order that is tried each few seconds during an outage leaves no
tombstones.

A *dead letter* is an order that has used up its attempts. It is written before
the order's done mark, so it holds up nothing: no minute of the outbox, no watermark, no sweep.
It stays until someone replays or drops it.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from storage.ids.snowflakes import MAX_ID
from storage.ports.outbox import Order

WHOLE = -1
"""The part of an attempt at an order as a whole."""
ERROR_CHARS = 500
"""An error is kept up to this length."""


class Attempt(msgspec.Struct, frozen=True):
    """An attempt at one part of an order, in a slot of its own.

    `begun_us` is 0 once it has ended without a fault. An attempt without an error is under
    way, or its process was killed.
    """

    part: int
    slot: int
    begun_us: int
    error: str = ""


class DeadLetter(msgspec.Struct, frozen=True):
    """An order that was given up at `died_us`, after so many attempts; `error` is the last one's."""

    order: Order
    error: str
    attempts: int
    died_us: int


class DeadLetters(Protocol):
    """Raises `Unavailable` when its backend does not answer."""

    def record_attempt(self, order_id: int, attempt: Attempt) -> None:
        """Writes the attempt over what its slot held. Idempotent. Forgotten after days."""

    def attempts(self, order_ids: Sequence[int]) -> dict[int, list[Attempt]]:
        """Returns the attempts that count at each of the orders; those without any are left out. One round trip."""

    def bury(self, letter: DeadLetter) -> None:
        """Makes the order a dead letter, then marks it done. Idempotent: if it breaks off, it is done again."""

    def read(self, order_id: int) -> DeadLetter | None:
        """Returns the dead letter of that order. One round trip."""

    def page(self, *, after: int = 0, before: int = MAX_ID, newest_first: bool = False, limit: int) -> list[DeadLetter]:
        """Returns those with after < order id < before, by the birth of their orders."""

    def count(self, *, limit: int) -> int:
        """Returns how many there are; `limit` if there are at least so many."""

    def replay(self, order_id: int) -> bool:
        """Opens the order again under its own id, its attempts forgotten; False if it is no dead letter.

        A letter is there until all else is done: if that breaks off, replay it again. The order is found as any open
        one is, though its minute was forgotten.
        """

    def drop(self, order_id: int) -> bool:
        """Forgets the dead letter; its order stays done. False if there is none."""
