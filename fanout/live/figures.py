"""What live processes count: sockets, and frames that were sent, for all of them together (storage/redis/tallies.py).

A frame costs its process an addition; the rest is told each second. A process says once in each slot how many sockets
it has, so a slot's sum is how many there are.
"""

from storage.redis.tallies import current_slot, tallies

SOCKETS, FRAMES = "sockets", "frames"


class LiveFigures:
    """What one process has to tell. It belongs to the event loop."""

    def __init__(self) -> None:
        self.frames = 0
        """Sent, and not told of."""
        self._said_in = 0

    def tell(self, sockets: int) -> None:
        """Counts what was sent since the last time, and the sockets that there are unless that was said in this slot.

        No round trip, and never blocks.
        """
        if self.frames:
            tallies.count(FRAMES, self.frames)
            self.frames = 0
        if sockets and current_slot() != self._said_in:
            self._said_in = current_slot()
            tallies.count(SOCKETS, sockets)


live_figures = LiveFigures()
