"""Who indexes now: one process at a time, by a key in the broker's Redis, which dies with its holder."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from storage.errors import Unavailable
from storage.redis.node import broker_node

TURN = "indexing"
TURN_SECONDS = 15
"""For which a turn is taken: a run takes RUN_SECONDS, and the statements under way, each within its own timeout. Who
is slower shares the rest with the next one, which does no harm."""
READ_UP_TO = "indexed-up-to"
KEPT_SECONDS = 60
"""Behind that the second pass is anyway."""


class Turn:
    """A turn, and the last order that anybody has read, to be told to the next one."""

    def __init__(self, read_up_to: int) -> None:
        self.read_up_to = read_up_to


@contextmanager
def turn() -> Iterator[Turn | None]:
    """Gives the turn, None if somebody has it. Two round trips. Raises `Unavailable`."""
    node = broker_node()
    taken, known = node.round_trip(("SET", TURN, b"", "NX", "EX", TURN_SECONDS), ("GET", READ_UP_TO))
    if not taken:
        yield None
        return
    mine = Turn(int(known or 0))
    try:
        yield mine
    finally:
        with suppress(Unavailable):
            node.round_trip(("SET", READ_UP_TO, str(mine.read_up_to), "EX", KEPT_SECONDS), ("DEL", TURN))
