"""The cache of entries' bodies: bytes that fan-out never reads, but guards when it retracts.

What a deletion tells caches before it answers may not have arrived (Redis was down); the
retract order then tells them again, since a body cached for days must not outlive its tweet.

For example, entry 90 is cached when Ada deletes it, and Redis takes no guard from her request, whose process ends:

1. The retract order of 90 is in the store, written with the deletion.
2. A worker leaves the guard in `tweet:90`, then takes 90 out of timelines. Without the guard, whoever knows the id
   would be shown the cached body for up to two days.
"""

from storage.redis.guarded_cache import GuardedCache
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard

TTL_SECONDS = 2 * 24 * 3600
"""Most reads are of entries of the last two days. A body never changes but by deletion."""

TWEET_BYTES: GuardedCache[int, bytes] = GuardedCache(
    timeline_node,
    timeline_shard,
    lambda entry_id: f"tweet:{entry_id}",
    encode=bytes,
    decode=bytes,
    ttl_seconds=TTL_SECONDS,
)
