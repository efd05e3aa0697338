"""What was put on the broker's queues lately, so that it is not put there again and again.

The marks live in the broker's own Redis, beside the queues that they speak of: where the queues
are lost the marks are lost, too, and everything is sent again at once; where the broker does
not answer, nothing could be sent either. The timelines' Redis may be down or emptied meanwhile.
"""

from collections.abc import Sequence
from contextlib import suppress

from storage.errors import Unavailable
from storage.redis.node import broker_node
from storage.redis.reads import Command

QUEUE_LONG = 2_000
"""Messages: seconds of work. Above it, what is open most likely waits in the queue, and sending it again would
only lengthen the queue."""
LOST_SECONDS = 300
"""What was put on a long queue so long ago counts as lost."""


def queue_lengths(queues: Sequence[str]) -> dict[str, int]:
    """How many messages wait in each queue. One round trip. Raises `Unavailable`."""
    lengths = broker_node().round_trip(*(("LLEN", queue) for queue in queues))
    return dict(zip(queues, lengths, strict=True))


def claim(names: Sequence[str], *, seconds: int) -> list[bool]:
    """Which of these were not claimed in the last `seconds`; they are claimed from now on.

    One round trip. Raises `Unavailable`.
    """
    marks: list[Command] = [("SET", _mark(name), b"1", "NX", "EX", seconds) for name in names]
    return [bool(fresh) for fresh in broker_node().round_trip(*marks)]


def release(names: Sequence[str]) -> None:
    """As if they had not been claimed. One round trip; a broker that does not answer forgets them later."""
    with suppress(Unavailable):
        broker_node().round_trip(*(("DEL", _mark(name)) for name in names))


def _mark(name: str) -> str:
    return f"sent:{name}"
