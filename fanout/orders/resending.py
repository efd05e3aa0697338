"""Remembers what was put on the broker's queues lately, so that it is not put there again and again.

The keys that say so live in the order's own broker, beside the queues that they speak of: where the queues
are lost the keys are lost, too, and everything is sent again at once; where the broker does
not answer, nothing could be sent either. The timelines' Redis may be down or emptied meanwhile.
"""

from collections.abc import Sequence
from contextlib import suppress

from fanout.orders.brokers import brokers
from storage.errors import Unavailable
from storage.redis.node import RedisNode, broker_node
from storage.redis.reads import Command

QUEUE_LONG = 2_000
"""Messages: seconds of work. Above it, what is open most likely waits in the queue, and sending it again would
only lengthen the queue."""
LOST_SECONDS = 300
"""What was put on a long queue so long ago counts as lost."""
RESEND_SECONDS = 5
"""An order that was sent again is left alone for this long, and for as long as what is before it on its queue takes."""
SLOWEST = 50.0
"""Orders a second that workers get through at least, of which that is reckoned where they have been idle."""

TOGETHER_SECONDS = 10
"""Orders that were sent in one message are left alone for this long, and for as long as what is before them takes: what
a worker died of is swept then, each by itself. Those that a backend keeps waiting are let be sent at once
(fanout/tasks.py)."""
SLOWEST_TOGETHER = 20.0
"""Messages of many orders a second that workers get through at least."""

HELD = "orders-held"
"""Stands in a broker to which processes send what they have kept for it (orders/holding.py)."""
HELD_SECONDS = 1.5
"""Ten times what a process with a busy neighbour takes for a chunk."""


def left_alone_seconds(before: float, *, rate: float = 0.0) -> int:
    """Returns for how long what is sent now, behind so many on its queue, is not sent again: sent twice it costs the
    workers its books as well. `rate` is theirs, orders a second, as far as they are known to be faster."""
    return RESEND_SECONDS + int(before / max(SLOWEST, rate))


def together_seconds(before: int) -> int:
    """Returns the same for orders of one message behind so many others."""
    return TOGETHER_SECONDS + int(before / SLOWEST_TOGETHER)


def queue_lengths(broker: RedisNode, queues: Sequence[str]) -> dict[str, int]:
    """Returns how many messages wait in each queue. One round trip. Raises `Unavailable`."""
    lengths = broker.round_trip(*(("LLEN", queue) for queue in queues))
    return dict(zip(queues, lengths, strict=True))


def all_queue_lengths(queues: Sequence[str]) -> dict[str, int]:
    """Returns the same over all brokers, a round trip each."""
    lengths = [queue_lengths(each, queues) for each in {broker_node(), *brokers()}]
    return {queue: sum(each[queue] for each in lengths) for queue in queues}


def claim(broker: RedisNode, names: Sequence[str], *, seconds: int, are_held: bool = False) -> list[bool]:
    """Claims these, and answers for each whether it was not claimed in the last `seconds`.

    `are_held`: they were kept for this broker by who wrote them, who says so to sweepers. One round trip. Raises
    `Unavailable`.
    """
    claims: list[Command] = [("SET", _sent_key(name), b"1", "NX", "EX", seconds) for name in names]
    said: list[Command] = [("SET", HELD, b"1", "PX", int(HELD_SECONDS * 1_000))] if are_held else []
    return [bool(fresh) for fresh in broker.round_trip(*said, *claims)[len(said) :]]


def are_held(broker: RedisNode) -> bool:
    """Says whether somebody was sending what they had kept for this broker in the last HELD_SECONDS. One round trip.
    Raises `Unavailable`."""
    [held] = broker.round_trip(("EXISTS", HELD))
    return bool(held)


def shorten(broker: RedisNode, names: Sequence[str], *, seconds: int) -> None:
    """Has the claims end within `seconds`: whoever waited for their turn has had it. One round trip, as `release`."""
    with suppress(Unavailable):
        broker.round_trip(*(("EXPIRE", _sent_key(name), seconds, "LT") for name in names))


def release(broker: RedisNode, names: Sequence[str]) -> None:
    """Takes the claims back. One round trip; a broker that does not answer lets them end by their time."""
    with suppress(Unavailable):
        broker.round_trip(*(("DEL", _sent_key(name)) for name in names))


def _sent_key(name: str) -> str:
    return f"sent:{name}"
