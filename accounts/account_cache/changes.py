"""The log of accounts that have just changed: a sorted set in Redis, of the last LOG_SECONDS.

Whoever keeps something of an account in process memory (accounts, open sockets) reads it along
with a round trip that it makes anyway, and so sees a change that has answered. Times of change are
microseconds: an account that changes again has another one.
"""

from collections.abc import Mapping, Sequence

from storage.ids.snowflakes import now_us
from storage.redis.reads import Command, Read

LOG_KEY = "accounts:changed"
LOG_SECONDS = 20

Changes = Mapping[int, float]
"""The recently changed accounts, and when each one changed last."""


def _decode(answer: Sequence[bytes | float | list[bytes | float]]) -> Changes:
    """The log as a mapping; redis-py leaves it flat or makes pairs, by the protocol it speaks."""
    flat = [each for pair in answer for each in (pair if isinstance(pair, list | tuple) else (pair,))]
    return {int(member): float(changed_at) for member, changed_at in zip(flat[::2], flat[1::2], strict=True)}


RECENT_CHANGES: Read[Changes] = Read((("ZRANGE", LOG_KEY, 0, -1, "WITHSCORES"),), _decode)
"""Some thirty bytes for each account changed in the last `LOG_SECONDS`, whoever changed it."""


def change_commands(user_id: int) -> list[Command]:
    """Commands to send after the change was committed and before it is answered."""
    now = now_us()
    return [
        ("ZADD", LOG_KEY, now, user_id),
        ("ZREMRANGEBYSCORE", LOG_KEY, "-inf", now - LOG_SECONDS * 1_000_000),
        ("EXPIRE", LOG_KEY, LOG_SECONDS),
    ]
