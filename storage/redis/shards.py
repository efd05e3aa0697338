"""Where things stand in the timelines' Redis: a *shard* for each person or thing, and the hash tag of its keys.

Keys of one person share the hash tag of that person's shard, so that one script may touch many timelines
of a shard and also runs on Redis Cluster. Each shard has a key for its generation (generations.py), in
the slot of everything that the generation guards.
"""

from collections.abc import Iterable
from functools import cache

from django.conf import settings

SPREAD = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: consecutive multiples spread evenly (Knuth, TAOCP vol. 3, 6.4)."""
TAGS_KEPT = 8_192
"""Of people, about 100 bytes each: a page asks for a few of the same person."""


def timeline_shard(user_id: int) -> int:
    """The timeline shard of a person, spread evenly (ids differ in their low bits by worker only)."""
    return ((user_id * SPREAD) >> 40) % settings.TIMELINE_SHARDS


def by_shard(user_ids: Iterable[int]) -> dict[int, list[int]]:
    """People grouped by their shard, in the order given. As `timeline_shard`, without its looks at the settings."""
    count = settings.TIMELINE_SHARDS
    shards: list[list[int]] = [[] for _ in range(count)]
    for user_id in user_ids:
        shards[((user_id * SPREAD) >> 40) % count].append(user_id)
    return {shard: people for shard, people in enumerate(shards) if people}


def shard_tag(shard: int) -> str:
    """The hash tag that all keys of one shard begin with.

    It names the number of shards as well: another number means other keys, and a generation
    that is missing, so that the node is emptied and everything made anew.
    """
    return _tags(settings.TIMELINE_SHARDS)[shard]


def generation_key(shard: int) -> str:
    """Where the shard's generation stands, in the slot of everything that it guards."""
    return f"{shard_tag(shard)}:generation"


def generation_keys() -> tuple[str, ...]:
    """Those of all shards."""
    return _generation_keys(settings.TIMELINE_SHARDS)


def user_tag(user_id: int) -> str:
    """The hash tag of a person's keys."""
    return shard_tag(timeline_shard(user_id))


@cache
def _generation_keys(shards: int) -> tuple[str, ...]:
    return tuple(f"{tag}:generation" for tag in _tags(shards))


@cache
def _tags(shards: int) -> tuple[str, ...]:
    """Made once: a page asks for some eighty."""
    return tuple(f"{{t{shard}/{shards}}}" for shard in range(shards))
