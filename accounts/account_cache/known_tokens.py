"""Tokens as Redis knows them: when each ends, beside the account of its person."""

import msgspec

from accounts.sql import can_be_asked
from storage.redis.lasting_cache import LastingCache
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard


class Claim(msgspec.Struct, frozen=True):
    """A token before anyone has checked it: whose it says that it is, and its digest."""

    user_id: int
    digest: str


def _encode_end(end_us: int) -> bytes:
    return end_us.to_bytes(8, "big")


def _decode_end(value: bytes) -> int:
    return int.from_bytes(value, "big")


TOKENS: LastingCache[Claim, int] = LastingCache(
    timeline_node,
    lambda claim: timeline_shard(claim.user_id),
    lambda claim: f"token:{claim.digest}",
    encode=_encode_end,
    decode=_decode_end,
    can_ask=can_be_asked,
)
"""The microsecond at which the token ends, by claim; which may come before its entry ends."""
