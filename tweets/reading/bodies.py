"""Tweets by id as they were written, deleted ones too: from the cache, and else from the store."""

from collections.abc import Sequence
from contextlib import suppress

from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import Generations
from tweets.caches.tweets import TWEETS
from tweets.entities import Tweet
from tweets.stores.port import tweet_store


def tweets_by_id(ids: Sequence[int]) -> dict[int, Tweet]:
    """Returns those of the tweets that exist; works without Redis.

    Nothing for no ids. One Redis round trip; what is not cached costs a store read and another round trip.
    Raises `Unavailable` when something is not cached and the store does not answer.
    """
    if not ids:
        return {}
    found, generation = _cached(ids)
    missing = [tweet_id for tweet_id in ids if tweet_id not in found]
    if missing:
        read = tweet_store().get_many(missing)
        _keep(TWEETS.fill(read, generation=generation))
        found |= read
    return found


def _cached(ids: Sequence[int]) -> tuple[dict[int, Tweet], Generations | None]:
    """Returns what Redis has of them, and the generation under which it was read."""
    node = timeline_node()
    try:
        [cached] = node.ask(TWEETS.read(ids))
    except Unavailable:
        return {}, None
    return cached.values, node.generation_of(cached.generation)


def _keep(fills: Sequence[Command]) -> None:
    with suppress(Unavailable):
        timeline_node().round_trip(*fills)
