"""The log of accounts that have just changed: a sorted set in Redis, of the last LOG_SECONDS.

Whoever keeps something of an account in process memory (cards, open sockets) reads it along
with a round trip that it makes anyway, and so sees a change that has answered. Notes are
microseconds: an account that changes again gets another note.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.ids.snowflakes import now_us
from storage.redis.reads import Command

LOG_KEY = "accounts:changed"
LOG_SECONDS = 20

Changes = Mapping[int, float]
"""The recently changed accounts, and the note of each one's last change."""


def changed_command() -> Command:
    """Reads the log; its answer belongs into `changes_of`.

    Some thirty bytes for each account changed in the last `LOG_SECONDS`, whoever changed it.
    """
    return ("ZRANGE", LOG_KEY, 0, -1, "WITHSCORES")


def changes_of(answer: Sequence[Any]) -> Changes:
    """The log as a mapping; redis-py leaves it flat or makes pairs, by the protocol it speaks."""
    paired = bool(answer) and isinstance(answer[0], list | tuple)
    pairs = answer if paired else zip(answer[::2], answer[1::2], strict=True)
    return {int(member): float(score) for member, score in pairs}


def note_commands(user_id: int) -> list[Command]:
    """Commands to send after the change was committed and before it is answered."""
    now = now_us()
    return [
        ("ZADD", LOG_KEY, now, user_id),
        ("ZREMRANGEBYSCORE", LOG_KEY, "-inf", now - LOG_SECONDS * 1_000_000),
        ("EXPIRE", LOG_KEY, LOG_SECONDS),
    ]
