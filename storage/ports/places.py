"""The place port: up to where those who read all that happens, order by order, have come.

A place never goes back: of several readers of one name that write theirs, the greatest holds.
"""

from typing import Protocol


class Places(Protocol):
    """Places of one backend. Raises `Unavailable` when it does not answer."""

    def place(self, reader: str) -> int:
        """Returns the greatest place that was ever written for this reader, 0 if none."""

    def move(self, reader: str, place: int) -> None:
        """Writes the reader's place. Idempotent."""
