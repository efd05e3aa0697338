"""Counting requests: fixed windows in Redis, one script call each, atomic.

Own code, for the library we have (`limits`) cannot join its count to a round trip that is made
anyway, and needs two more to tell what is left: a warm read would cost four round trips in
place of two. The script can be sent along with a token check and then counts only if the
token is there, so that nobody uses up another's quota by claiming to be them.

While Redis does not answer, `limits` counts in this process's memory: a quota then holds for each
process by itself, and what was counted before is forgotten. Letting everyone through would
open sign-in to guessing; refusing everyone would make Redis indispensable.
"""

import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from storage.errors import Unavailable
from storage.redis.node import Script, timeline_node
from storage.redis.reads import Read, T

COUNT = Script(Path(__file__).parent / "lua" / "count.lua")

_memory = FixedWindowRateLimiter(MemoryStorage())
log = structlog.get_logger(__name__)


class Policy(msgspec.Struct, frozen=True):
    """At most `quota` requests in `seconds`, which begin with the first."""

    name: str
    quota: int
    seconds: int


class Hit(msgspec.Struct, frozen=True):
    """One request, counted: how many there were in this window, and when it ends."""

    policy: Policy
    count: int
    resets_seconds: int

    @property
    def remaining(self) -> int:
        return max(0, self.policy.quota - self.count)

    @property
    def exceeded(self) -> bool:
        return self.count > self.policy.quota


def counting(policy: Policy, key: str, *, gate: str | None = None, amount: int = 1) -> Read[Hit | None]:
    """Counts `amount` requests under `key`, if anything stands at `gate`, else says None; both in one slot."""
    command = COUNT.call([key] if gate is None else [key, gate], policy.seconds, amount)
    return Read((command,), partial(_hit_if_counted, policy))


def _hit_if_counted(policy: Policy, answer: tuple[int, int] | None) -> Hit | None:
    return None if answer is None else hit_of(policy, *answer)


def hit_of(policy: Policy, count: int, left_ms: int) -> Hit:
    """Returns what a counter and the milliseconds that are left of its window say."""
    return Hit(policy, int(count), max(1, math.ceil(int(left_ms) / 1000)))


def hit_all(*counted: tuple[Policy, str], amount: int = 1) -> list[Hit]:
    """Counts `amount` requests under each key. One Redis round trip; without Redis, in memory."""
    try:
        hits = timeline_node().ask_all([counting(policy, key, amount=amount) for policy, key in counted])
    except Unavailable:
        log.warning("rate_limits_without_redis")
        return [hit_in_memory(policy, key, amount=amount) for policy, key in counted]
    return [hit for hit in hits if hit is not None]


def hit_and_read(policy: Policy, key: str, extra: Read[T | None]) -> tuple[Hit, T | None]:
    """Does as `hit_all` of one key, and returns what `extra` says as well: None without Redis. One round trip."""
    try:
        hit, found = timeline_node().ask(counting(policy, key), extra)
    except Unavailable:
        log.warning("rate_limits_without_redis")
        return hit_in_memory(policy, key), None
    return hit or hit_in_memory(policy, key), found


def hit_in_memory(policy: Policy, key: str, *, amount: int = 1) -> Hit:
    """Counts in this process alone."""
    item = RateLimitItemPerSecond(policy.quota, policy.seconds, namespace=policy.name)
    within = _memory.hit(item, key, cost=amount)
    resets_at, remaining = _memory.get_window_stats(item, key)
    count = policy.quota - remaining if within else policy.quota + 1
    return Hit(policy, count, max(1, math.ceil(resets_at - time.time())))


def fields(hits: Sequence[Hit]) -> dict[str, str]:
    """Returns the header fields of draft-ietf-httpapi-ratelimit-headers, as of its tenth version."""
    return {
        "RateLimit-Policy": ", ".join(
            f'"{each.policy.name}";q={each.policy.quota};w={each.policy.seconds}' for each in hits
        ),
        "RateLimit": ", ".join(f'"{each.policy.name}";r={each.remaining};t={each.resets_seconds}' for each in hits),
    }
