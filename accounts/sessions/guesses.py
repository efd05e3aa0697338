"""Guesses at one account's password, counted by the account and by where they come from.

    {tN}:guesses:<account>:<address>   from one address: it alone is shut out when it is over its quota
    {tN}:guesses:<account>             from all addresses together, each counted up to its own quota, so that no
                                       address can use up what is there for all
    {tN}:right-from:<account>          the addresses that the right password came from lately, RIGHT_KEPT of them: what
                                       others guess does not shut them out

An account is a person's id or, where there is no such person, a digest of the login: both stand under the same sort of
keys and cost the same commands. Addresses stand as keyed digests. Two keys for an account while it is guessed at, one
for a pair, all of five minutes; one of ACTIVE_DAYS for whoever has signed in. docs/adr/029-guesses.md argues.
"""

from pathlib import Path

import msgspec
from django.conf import settings
from django.utils.crypto import salted_hmac

from storage.errors import Unavailable
from storage.ids.snowflakes import spread
from storage.redis.node import Script, timeline_node
from storage.redis.rate_limits import Hit, Policy, hit_in_memory, hit_of
from storage.redis.shards import shard_tag

RIGHT_KEPT = 8
"""Addresses: home, work, a telephone's networks. Eight bytes each."""
_LUA = Path(__file__).parent / "lua"
_guess = Script(_LUA / "guess.lua")
_take_back = Script(_LUA / "take_back.lua")


class Guess(msgspec.Struct, frozen=True):
    """One guess, as it was counted."""

    account: int
    address: str
    here: Hit
    everywhere: Hit | None
    """None where it was not counted: over the first quota, or from an address that was right."""

    @property
    def exceeded(self) -> Hit | None:
        """Returns what forbids the guess."""
        return next((hit for hit in (self.here, self.everywhere) if hit is not None and hit.exceeded), None)


def count_guess(account: int, address: str, *, here: Policy, everywhere: Policy) -> Guess:
    """Counts one guess, atomically. One Redis round trip; without Redis, in memory.

    Both policies have the same seconds. `account` is any number that stands for it.
    """
    mark = salted_hmac("accounts.sessions.guesses", address, algorithm="sha256").digest()[:8]
    keys = _keys(account, mark)
    command = _guess.call(keys, here.quota, here.seconds, everywhere.seconds, mark)
    try:
        [[count, left_ms, all_count, all_left_ms]] = timeline_node().round_trip(command)
    except Unavailable:
        hit = hit_in_memory(here, keys[0])
        return Guess(account, address, hit, None if hit.exceeded else hit_in_memory(everywhere, keys[1]))
    counted = hit_of(everywhere, all_count, all_left_ms) if all_count else None
    return Guess(account, address, hit_of(here, count, left_ms), counted)


def take_back(guess: Guess, *, right: bool) -> None:
    """Uncounts a guess that was none: the password was right, or was never looked at. One Redis round trip.

    What was `right` makes the address one that others' guesses do not shut out. Without Redis the guess stays counted
    until its window ends.
    """
    mark = salted_hmac("accounts.sessions.guesses", guess.address, algorithm="sha256").digest()[:8]
    here, everywhere, right_from = _keys(guess.account, mark)
    keys = [right_from, here] if guess.everywhere is None else [right_from, here, everywhere]
    seconds = settings.ACTIVE_DAYS * 24 * 3600
    try:
        timeline_node().round_trip(_take_back.call(keys, RIGHT_KEPT, seconds, mark if right else b""))
    except Unavailable:
        return


def _keys(account: int, mark: bytes) -> tuple[str, str, str]:
    """The counters from this address and from all, and the addresses that were right, in one slot."""
    tag = shard_tag(spread(account, settings.TIMELINE_SHARDS))
    return f"{tag}:guesses:{account}:{mark.hex()}", f"{tag}:guesses:{account}", f"{tag}:right-from:{account}"
