"""What live processes count: sockets, and frames that were sent, for all of them together (storage/redis/tallies.py).

A frame costs its process an addition; the rest is told each second. A process says once in each slot how many sockets
it has, so a slot's sum is how many there are.
"""

from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from storage.redis.tallies import current_slot, tallies

SOCKETS, FRAMES = "sockets", "frames"
LIVE_SOCKETS = Gauge("live_sockets", "Open sockets, a second late.", multiprocess_mode="livesum")
LIVE_FRAMES = Counter("live_frames", "Frames sent to sockets, a second late.")
BEGUN = Histogram("live_begin_seconds", "From a subscription's turn until its stream was open.", ["stream"])
SUBSCRIPTIONS = Counter("live_subscriptions", "Subscriptions begun and failed.", ["stream", "outcome"])
RESUMES = Counter("live_resumes", "Streams that were begun from a client's cursor.", ["stream"])
GAPS = Counter("live_gaps", "Times that a client was told to page, as it had missed too much.", ["stream", "cause"])
STREAMS = ("home", "public", "tweet")
"""The subjects of the streams' topics, by which they are counted; each is there from the beginning, as a rate needs."""


class GapCause(StrEnum):
    """Why a client is told to page. Each but a PACE means that something is wrong."""

    RESUME = "resume"
    """It comes back, and has missed more than is replayed, or what has left meanwhile cannot be known."""
    RESYNC = "resync"
    """The same of a stream that was behind: a backend was away."""
    PACE = "pace"
    """The public stream has more than anybody could read."""
    OVERFLOW = "overflow"
    """It reads more slowly than is told to it."""


for _stream in STREAMS:
    RESUMES.labels(_stream)
    for _cause in GapCause:
        GAPS.labels(_stream, _cause)
    for _outcome in ("begun", "failed"):
        SUBSCRIPTIONS.labels(_stream, _outcome)


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
            LIVE_FRAMES.inc(self.frames)
            self.frames = 0
        LIVE_SOCKETS.set(sockets)
        if sockets and current_slot() != self._said_in:
            self._said_in = current_slot()
            tallies.count(SOCKETS, sockets)


live_figures = LiveFigures()
