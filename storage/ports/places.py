"""The place port: up to where those who read all that happens, order by order, have come.

A place never goes back: of several readers of one name that write theirs, the greatest holds.
"""

from typing import Protocol

SEARCH = "search"
"""Up to where the indexer of the search has read all orders; discarding waits for it (fanout/orders/sweeper.py)."""
SEARCH_OFF = "off"
"""The SEARCH_URL of a deployment that is not searched: nobody reads all orders."""
SEARCH_GAP = "search-gap"
"""Up to where the index has missed something for good."""
SEARCH_REBUILT = "search-rebuilt"
"""When the last rebuild of the index that has ended began."""


class Places(Protocol):
    """Places of one backend. Raises `Unavailable` when it does not answer."""

    def place(self, reader: str) -> int:
        """Returns the greatest place that was ever written for this reader, 0 if none."""

    def move(self, reader: str, place: int) -> None:
        """Writes the reader's place. Idempotent."""
