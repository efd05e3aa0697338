"""Tweets in Redis: serialized once when written or first read, decoded by every reader."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.redis.reads import Command
from tweets.entities import Tweet

DECODED_KEPT = 8_192
"""About 1 KB each. Many readers are shown the same tweets, and the same bytes are the same tweet."""

_encoder = msgspec.json.Encoder()
_decoded = lru_cache(DECODED_KEPT)(msgspec.json.Decoder(Tweet).decode)


def read(ids: Sequence[int]) -> Command:
    return TWEET_BYTES.read(ids)


def hits(ids: Sequence[int], answer: Sequence[bytes | None]) -> dict[int, Tweet]:
    """What the answer to `read` holds; deleted tweets are held too, flagged."""
    return {tweet_id: _decoded(value) for tweet_id, value in TWEET_BYTES.hits(ids, answer).items()}


def noted(ids: Sequence[int], answer: Sequence[bytes | None]) -> bytes | None:
    """The generation that the answer to `read` holds; see storage/redis/guarded_cache.py."""
    return TWEET_BYTES.noted((ids, answer))


def fill(tweets: Iterable[Tweet], *, noted: bytes | None) -> list[Command]:
    """Commands that keep tweets; `noted` before they were read from, or written to, the store."""
    return TWEET_BYTES.fill({tweet.id: _encoder.encode(tweet) for tweet in tweets}, noted=noted)


def invalidate(ids: Iterable[int]) -> list[Command]:
    return TWEET_BYTES.invalidate(ids)
