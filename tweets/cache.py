"""Tweets in Redis: serialized once when written or first read, decoded by every reader."""

from collections.abc import Iterable, Sequence

import msgspec

from fanout.bodies import BODIES
from storage.redis import Command
from tweets.entities import Tweet

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Tweet)


def read(ids: Sequence[int]) -> Command:
    return BODIES.read(ids)


def hits(ids: Sequence[int], answer: Sequence[bytes | None]) -> dict[int, Tweet]:
    """What the answer to `read` holds; deleted tweets are held too, flagged."""
    return {tweet_id: _decoder.decode(value) for tweet_id, value in BODIES.hits(ids, answer).items()}


def noted(ids: Sequence[int], answer: Sequence[bytes | None]) -> bytes | None:
    """The generation that the answer to `read` holds; see storage/cache.py."""
    return BODIES.noted((ids, answer))


def fill(tweets: Iterable[Tweet], *, noted: bytes | None) -> list[Command]:
    """Commands that keep tweets; `noted` before they were read from, or written to, the store."""
    return BODIES.fill({tweet.id: _encoder.encode(tweet) for tweet in tweets}, noted=noted)


def invalidate(ids: Iterable[int]) -> list[Command]:
    return BODIES.invalidate(ids)
