"""Tweets in Redis: serialized once when written or first read, decoded by every reader."""

from functools import lru_cache

import msgspec

from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.redis.guarded_cache import GuardedCache
from tweets.entities import Tweet

DECODED_KEPT = 8_192
"""About 1 KB each. Many readers are shown the same tweets, and the same bytes are the same tweet."""

TWEETS: GuardedCache[int, Tweet] = TWEET_BYTES.of(
    msgspec.json.Encoder().encode, lru_cache(DECODED_KEPT)(msgspec.json.Decoder(Tweet).decode)
)
"""By id; deleted tweets are held too, flagged."""
