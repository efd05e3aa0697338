"""The port of repeated writes: under one user's key a write happens once and is answered the same again.

A *claim* stands under (user, key): what was asked (a fingerprint), the operation's id, who is
at it, and in the end the answer. It is written before the write that it guards, so a crash
at any instant leaves it behind, with the operation's id in it: whoever repeats the request
takes the claim over under that same id, and writes that are idempotent by id, as adding a
tweet is, happen once.

    nothing → running (holder = an id made just now) → answered
       ↑         ↓ crash: RUNNING_SECONDS later          ↑
       ↑         ↓ failure: at once (holder = 0)         ↑
       ↑         running again, by another holder, with the first one's `op`
       └──────── refused before it was read: `remove`

Every step is one compare-and-set on the holder, so of many that come together one goes on.
"""

from typing import Protocol

import msgspec

from storage.ids.snowflakes import id_us

KEPT_SECONDS = 86_400
"""A day, as the contract says; then the key is free again."""
RUNNING_SECONDS = 30
"""Longer than a request takes: several statements of 5 s. A crashed one is taken over after that.

Were one slower still, two would write under one operation's id, which comes to the same."""


class Answer(msgspec.Struct, frozen=True):
    """The answer that the client was given."""

    status: int
    headers: dict[str, str]
    body: bytes


class IdempotencyClaim(msgspec.Struct, frozen=True):
    """A claim, which stands under a key. `holder` is an id made when this holder came, 0 when nobody is at it."""

    fingerprint: bytes
    op: int
    holder: int
    answer: Answer | None = None

    def is_running(self, now: int) -> bool:
        return self.answer is None and self.holder != 0 and id_us(self.holder) + RUNNING_SECONDS * 1_000_000 > now


class IdempotencyStore(Protocol):
    """Claims by user and key, each kept KEPT_SECONDS from its last step. Raises `Unavailable`."""

    def begin(self, user_id: int, key: str, claim: IdempotencyClaim) -> IdempotencyClaim:
        """Returns what stands under the key now: `claim` itself if the key was free."""

    def replace(self, user_id: int, key: str, *, holder: int, claim: IdempotencyClaim) -> bool:
        """Puts `claim` there if `holder` still is what stands there; whether it did."""

    def remove(self, user_id: int, key: str, *, holder: int) -> None:
        """Frees the key if `holder` still is what stands there."""
