"""The log of changed accounts: who changed within the last LOG_SECONDS, for whoever keeps accounts in memory.

A sorted set in Redis, of people by the time of their newest change. Each page reads it (tweets/reading/hydration.py),
and each live process twice a second. Times of change are microseconds: an account that changes again has another one.

**In a cluster** it has a copy in each of COPIES shards, so that no node answers all pages. Changes are rare, and each
is entered into all copies, with one time. A process reads one copy, chosen by chance, under the generation of that
copy's shard; when its node does not answer, it goes on with another, and what it remembered by the first counts no
more, since that has another generation. What one copy missed is told again (changes.py).
"""

import random
from collections.abc import Mapping, Sequence

from django.conf import settings

from storage.ids.snowflakes import now_us
from storage.process import start_anew_after_fork
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import shard_tag

LOG_SECONDS = 20
COPIES = 16
"""Of a cluster, at most: more than it takes for a node's share of the pages to be below what these ask of it anyway."""

Changes = Mapping[int, float]
"""The recently changed accounts, and when each one changed last."""


def log_key(shard: int) -> str:
    """Returns the key of the shard's copy."""
    return f"{shard_tag(shard)}:accounts-changed"


def log_shards() -> range:
    """Returns the shards that have a copy: on one server the first one alone."""
    return range(min(settings.TIMELINE_SHARDS, COPIES) if timeline_node().is_cluster else 1)


def recent_changes(shard: int) -> Read[Changes | None]:
    """Returns a read of a copy: some thirty bytes for each account changed in the last `LOG_SECONDS`, whoever changed
    it. None when the node of a cluster that has it does not answer."""
    return Read((("ZRANGE", log_key(shard), 0, -1, "WITHSCORES"),), _decode, spares=True)


def _decode(answer: Sequence[bytes | float | list[bytes | float]] | None) -> Changes | None:
    """The log as a mapping; redis-py leaves it flat or makes pairs, by the protocol it speaks."""
    if answer is None:
        return None
    flat = [each for pair in answer for each in (pair if isinstance(pair, list | tuple) else (pair,))]
    return {int(member): float(changed_at) for member, changed_at in zip(flat[::2], flat[1::2], strict=True)}


def change_commands(user_ids: Sequence[int]) -> list[Command]:
    """Commands that enter these people, who are some: to be sent behind their guards, before the change is answered.

    Of a cluster in a round trip of its own, behind the guards': who read a log that knows of the change, and then the
    account of before, would remember that as the new one.
    """
    now = now_us()
    entered = [each for user_id in user_ids for each in (now, user_id)]
    commands: list[Command] = []
    for key in map(log_key, log_shards()):
        commands += [
            ("ZADD", key, *entered),
            ("ZREMRANGEBYSCORE", key, "-inf", now - LOG_SECONDS * 1_000_000),
            ("EXPIRE", key, LOG_SECONDS),
        ]
    return commands


class OwnCopy:
    """Which copy this process reads. Thread-safe; a forked child chooses for itself."""

    def __init__(self) -> None:
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        self._chosen = random.random()  # noqa: S311 - spreads load, hides nothing

    @property
    def shard(self) -> int:
        return int(self._chosen * len(log_shards()))

    def leave(self, shard: int) -> None:
        """Goes on with another copy: that shard's did not answer."""
        if shard == self.shard:
            self.start_anew()


own_copy = OwnCopy()
