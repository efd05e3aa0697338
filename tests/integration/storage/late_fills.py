"""Late fills: a reader is stopped between the store and Redis."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.redis.node import timeline_node
from tweets.caches import counts
from tweets.reading.hydration import hydrate


def after(owner: object, name: str, *steps: Callable[[], object]) -> Any:
    """Inside, the steps are done once, right after the first call of `owner.name` has returned."""
    original, left = getattr(owner, name), list(steps)

    def and_then(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        now = left[:]
        left.clear()
        for step in now:
            step()
        return answer

    return patch.object(owner, name, and_then)


def forget(tweet_id: int) -> None:
    timeline_node().round_trip(("DEL", TWEET_BYTES.key(tweet_id), counts.COUNTS.key(tweet_id)))


def shown(tweet_id: int) -> list[str]:
    return [tweet.id for tweet in hydrate([tweet_id], viewer=None)]
