"""Authors with a crowd of followers, and timelines for all of them: too many to be made one by one.

Followers are made by the store's port. Of the timelines, a few in each shard are made as the product
makes them, and copied (COPY) to the rest of the shard: the same bytes under another key.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings

from bench import seeding
from fanout.timelines import layout, materialised
from storage import stores
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard, user_tag

COPIES_A_TRIP = 1_000
LENGTHS = range(0, materialised.TRIM_SLACK, 10)
"""Entries above the cap: in a running product timelines are trimmed one now and one then, not all with one delivery."""


def followers(count: int) -> list[int]:
    """New ids, ascending. Fan-out knows followers by id alone, so these people have no row in SQL."""
    return [stores.ids.next() for _ in range(count)]


def entries(count: int) -> list[int]:
    """Ids of entries that only timelines hold, newest first: enough for what never reads a tweet."""
    return [stores.ids.next() for _ in range(count)][::-1]


def make_active(readers: Sequence[int], ids: Sequence[int]) -> None:
    """Gives each reader a ready timeline of TIMELINE_CAP entries and up to a slack of more, the newest of `ids`."""
    templates: dict[int, list[int]] = {}
    for shard, of_shard in by_shard(readers).items():
        templates[shard] = of_shard[: len(LENGTHS)]
        for reader, above in zip(templates[shard], LENGTHS, strict=False):
            seeding.make_active([reader], ids[: settings.TIMELINE_CAP + above])
        copy_evenly(templates[shard], of_shard[len(LENGTHS) :], materialised.timeline_key)


def copy_evenly(templates: Sequence[int], readers: Sequence[int], key: Callable[[int], str]) -> None:
    """Copies what stands under the templates' keys to the readers' keys, in turn; all of one shard."""
    copies = [("COPY", key(templates[place % len(templates)]), key(reader)) for place, reader in enumerate(readers)]
    for start in range(0, len(copies), COPIES_A_TRIP):
        timeline_node().round_trip(*copies[start : start + COPIES_A_TRIP])


@contextmanager
def away(readers: Sequence[int]) -> Iterator[None]:
    """Inside, these readers have no timeline; afterwards the one they had, which lacks what they missed."""
    here, there = materialised.timeline_key, _away_key
    _rename(readers, here, there)
    try:
        yield
    finally:
        _rename(readers, there, here)


def _rename(readers: Sequence[int], old: Callable[[int], str], new: Callable[[int], str]) -> None:
    for start in range(0, len(readers), COPIES_A_TRIP):
        chunk = readers[start : start + COPIES_A_TRIP]
        timeline_node().round_trip(*(("RENAME", old(reader), new(reader)) for reader in chunk))


def _away_key(reader: int) -> str:
    return f"{user_tag(reader)}:away:{reader}"


def holding(readers: Sequence[int], ids: Sequence[int]) -> int:
    """How many of the readers hold these newest entries, each once and in order: what a run has to have delivered."""
    wanted = [layout.pack(each) for each in sorted(ids, reverse=True)]
    answers = timeline_node().round_trip(
        *(("LRANGE", materialised.timeline_key(reader), 0, len(ids) - 1) for reader in readers)
    )
    return sum(answer == wanted for answer in answers)
