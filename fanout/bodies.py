"""The cache of entries' bodies: bytes that fan-out never reads, but guards when it retracts.

What a deletion tells caches before it answers may not have arrived (Redis was down); the
retract order then tells them again, since a body cached for days must not outlive its tweet.
"""

from storage.cache import GuardedCache
from storage.redis import shard_of, timeline_node

TTL_SECONDS = 2 * 24 * 3600
"""Most reads are of entries of the last two days. A body never changes but by deletion."""

BODIES: GuardedCache[int] = GuardedCache(
    timeline_node, shard_of, lambda entry_id: f"tweet:{entry_id}", ttl_seconds=TTL_SECONDS
)
