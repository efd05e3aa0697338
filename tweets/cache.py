"""Tweets in Redis: serialized once when written or first read, decoded by every reader."""

from collections.abc import Iterable, Sequence

import msgspec

from storage.cache import GuardedCache
from storage.redis import Command, timeline_node
from tweets.entities import Tweet

TTL_SECONDS = 2 * 24 * 3600
"""Most reads are of tweets of the last two days. A tweet never changes but by deletion."""

_cache: GuardedCache[int] = GuardedCache(timeline_node, lambda tweet_id: f"tweet:{tweet_id}", ttl_seconds=TTL_SECONDS)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Tweet)


def read(ids: Sequence[int]) -> Command:
    return _cache.read(ids)


def hits(ids: Sequence[int], answer: Sequence[bytes | None]) -> dict[int, Tweet]:
    """What the answer to `read` holds; deleted tweets are held too, flagged."""
    return {tweet_id: _decoder.decode(value) for tweet_id, value in _cache.hits(ids, answer).items()}


def fill(tweets: Iterable[Tweet]) -> list[Command]:
    return _cache.fill({tweet.id: _encoder.encode(tweet) for tweet in tweets})


def invalidate(ids: Iterable[int]) -> list[Command]:
    return _cache.invalidate(ids)
