"""Who indexes now: one process at a time, by a key in the broker's Redis, which dies with its holder."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.errors import Unavailable
from storage.redis.node import Script, broker_node

TURN = "indexing"
TURN_SECONDS = 15
"""For which a turn is taken: a run takes RUN_SECONDS, and the statements under way, each within its own timeout. Who
is slower shares the rest with the next one, which does no harm."""
READ_UP_TO = "indexed-up-to"
KEPT_SECONDS = 60
"""Behind that the second pass is anyway."""


_give_back = Script(Path(__file__).parent / "lua" / "give_back.lua")


class Turn:
    """A turn, and the last order that anybody has read, to be told to the next one."""

    def __init__(self, read_up_to: int) -> None:
        self.read_up_to = read_up_to


@contextmanager
def turn() -> Iterator[Turn | None]:
    """Gives the turn, None if somebody has it. Two round trips. Raises `Unavailable`."""
    node, token = broker_node(), secrets.token_bytes(16)
    taken, known = node.round_trip(("SET", TURN, token, "NX", "EX", TURN_SECONDS), ("GET", READ_UP_TO))
    if not taken:
        yield None
        return
    mine = Turn(int(known or 0))
    try:
        yield mine
    finally:
        with suppress(Unavailable):
            told = ("SET", READ_UP_TO, str(mine.read_up_to), "EX", KEPT_SECONDS)
            node.round_trip(told, _give_back.call([TURN], token))
