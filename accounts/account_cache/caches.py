"""The two Redis caches in front of the SQL rows that requests need: tokens and accounts.

Both keys of a person begin with that person's hash tag, so one command reads both. Both are
guarded (storage/redis/guarded_cache.py): a change is in force when its request has answered, also when Redis
was emptied or failed over since. If Redis did
not answer at that moment, the old value ends by its time to live, counted below so that a
change is in force at most 10 s after Redis is back: also one made by a process whose breaker
was then still open, which it is for less than 2 s (storage/breakers.py).
"""

import msgspec

from accounts.entities import Account
from storage.redis.guarded_cache import GuardedCache
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard

TOKEN_SECONDS = 8
ACCOUNT_SECONDS = 4
"""The card caches inside processes (account_cache/accounts.py) keep an account for up to 4 s on top of this."""


class Claim(msgspec.Struct, frozen=True):
    """What a token says before anyone has checked it: whose it is, and its digest."""

    user_id: int
    digest: str


TOKENS: GuardedCache[Claim] = GuardedCache(
    timeline_node,
    lambda claim: timeline_shard(claim.user_id),
    lambda claim: f"token:{claim.digest}",
    ttl_seconds=TOKEN_SECONDS,
)
"""The microsecond at which the token ends, as 8 bytes, by claim."""

ACCOUNTS: GuardedCache[int] = GuardedCache(
    timeline_node, timeline_shard, lambda user_id: f"account:{user_id}", ttl_seconds=ACCOUNT_SECONDS
)
"""The encoded `Account` by user id."""

encode_account = msgspec.msgpack.Encoder().encode
decode_account = msgspec.msgpack.Decoder(Account).decode


def encode_end(end_us: int) -> bytes:
    return end_us.to_bytes(8, "big")


def decode_end(value: bytes) -> int:
    return int.from_bytes(value, "big")
