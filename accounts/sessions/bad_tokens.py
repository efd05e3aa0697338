"""Bad tokens, counted by the address that they come from: each well-formed one costs a round trip and an SQL query.

An address that has sent too many is shut in this process until its window ends: what it sends is then refused
without asking Redis for what is malformed, or SQL for what Redis does not know. So an address costs SQL a quota of
queries a minute, and one more for each process. Tokens in the cache are read as ever, and who was seen with a
good one lately is not asked to wait for a neighbour's guesses: their token's digest is remembered.

Nothing here costs a request with a good token anything: the count follows a refusal, and the look at what is remembered
a token that the cache did not know.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from django.conf import settings

from storage.redis.rate_limits import Hit, Policy, hit_all

BAD_TOKENS = Policy("bad-token", 60, 60)
"""A few windows whose session has ended ask once a second together, until their person has signed in again."""
SHUT_KEPT = 10_000
"""Addresses. Who has more than that forgets the oldest, which costs a quota of queries again."""
GOOD_KEPT = 20_000
"""Digests, some 4 MB of memory."""
GOOD_SECONDS = 3600.0

K = TypeVar("K", bound=Hashable)


class UntilLater(Generic[K]):
    """Things that are remembered until a moment each, the newest `most` of them. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ends: OrderedDict[K, float] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, thing: K, seconds: float) -> None:
        with self._lock:
            self._ends[thing] = time.monotonic() + seconds
            self._ends.move_to_end(thing)
            if len(self._ends) > self._most:
                self._ends.popitem(last=False)

    def drop(self, thing: K) -> None:
        with self._lock:
            self._ends.pop(thing, None)

    def seconds_left(self, thing: K) -> float:
        """Returns how long the thing is remembered yet; 0 for one that is not."""
        return max(0.0, self._ends.get(thing, 0.0) - time.monotonic())

    def clear(self) -> None:
        with self._lock:
            self._ends.clear()


_shut: UntilLater[str] = UntilLater(SHUT_KEPT)
_good: UntilLater[str] = UntilLater(GOOD_KEPT)


def shut(address: str) -> Hit | None:
    """Returns the exceeded count of an address that is known here to have sent too many, else None. Costs nothing."""
    left = _shut.seconds_left(address)
    return Hit(BAD_TOKENS, BAD_TOKENS.quota + 1, int(left) + 1) if left and settings.RATE_LIMITS else None


def shut_to(address: str, digest: str) -> Hit | None:
    """Does as `shut`, but for a token that was good a while ago."""
    return None if _good.seconds_left(digest) else shut(address)


def was_good(digest: str) -> None:
    """Remembers a token that SQL has proved."""
    _good.add(digest, GOOD_SECONDS)


def was_bad(digest: str) -> None:
    """Forgets a token that SQL does not know, or no longer."""
    _good.drop(digest)


def count_bad_token(address: str) -> Hit | None:
    """Counts one; None when limits are off. One Redis round trip, none where it is shut. Raises nothing."""
    if not settings.RATE_LIMITS:
        return None
    if (known := shut(address)) is not None:
        return known
    [hit] = hit_all((BAD_TOKENS, f"rate:bad-token:{address}"))
    if hit.exceeded:
        _shut.add(address, hit.resets_seconds)
    return hit


def forget() -> None:
    """Makes the process one that has just started; for tests."""
    _shut.clear()
    _good.clear()
