"""Where things stand in the timelines' Redis: a *shard* for each person or thing, and the hash tag of its keys.

Keys of one person share the hash tag of that person's shard, so that one script may touch many timelines
of a shard and also runs on Redis Cluster. Each shard has a key for its generation (generations.py), in
the slot of everything that the generation guards.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol, TypeVar, cast

import msgspec
from django.conf import settings

from storage.ids.snowflakes import SPREAD, spread
from storage.redis.slots import slot_of

KEYS_KEPT = 8_192
"""Of each sort, about 200 bytes each. A page asks for some fifty keys, and the next page for most of the same."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Generations = Mapping[int, bytes]
"""The generation of each of some shards (generations.py)."""


class SeenGeneration(msgspec.Struct, frozen=True):
    """A generation of a shard, and the microsecond since when this process knows it."""

    generation: bytes
    since_us: int


Seen = Mapping[int, SeenGeneration]
"""By shard."""


def generation_in(seen: Seen, shard: int) -> bytes | None:
    """Returns the shard's generation as it was seen last; None if it never was."""
    return seen[shard].generation if shard in seen else None


_forget: list[Callable[[], None]] = []


def remembered(make: Callable[[K], V]) -> Callable[[K], V]:
    """`make`, which depends on its argument and on the number of shards, remembering what it has made lately.

    The number is the same for as long as a process lives; whoever changes it in one calls `forget_keys`.
    """
    kept = lru_cache(KEYS_KEPT)(make)
    _forget.append(kept.cache_clear)
    return kept


def forget_keys() -> None:
    """Forgets what was made before; to be called where TIMELINE_SHARDS has changed."""
    for each in _forget:
        each()


@remembered
def timeline_shard(user_id: int) -> int:
    """The timeline shard of a person."""
    return spread(user_id, settings.TIMELINE_SHARDS)


def by_shard(user_ids: Iterable[int]) -> dict[int, list[int]]:
    """People grouped by their shard, in the order given. As `timeline_shard`, without a call for each of thousands."""
    count = settings.TIMELINE_SHARDS
    shards: list[list[int]] = [[] for _ in range(count)]
    for user_id in user_ids:
        shards[((user_id * SPREAD) >> 40) % count].append(user_id)
    return {shard: people for shard, people in enumerate(shards) if people}


@remembered
def shard_tag(shard: int) -> str:
    """The hash tag that all keys of one shard begin with.

    It names the number of shards as well: another number means other keys, and a generation
    that is missing, so that the node is emptied and everything made anew.
    """
    return f"{{t{shard}/{settings.TIMELINE_SHARDS}}}"


@remembered
def generation_key(shard: int) -> str:
    """Returns the key of the shard's generation, in the slot of everything that it guards."""
    return f"{shard_tag(shard)}:generation"


@remembered
def shard_slot(shard: int) -> int:
    """Returns the slot of a cluster that has the shard's keys."""
    return slot_of(shard_tag(shard))


@remembered
def shards_of_slot(slot: int) -> tuple[int, ...]:
    """Returns the shards whose keys are in the slot: one, or none; more where their tags meet by chance."""
    return tuple(shard for shard in range(settings.TIMELINE_SHARDS) if shard_slot(shard) == slot)


def generation_keys() -> tuple[str, ...]:
    """Returns the keys of all shards' generations."""
    return tuple(generation_key(shard) for shard in range(settings.TIMELINE_SHARDS))


@remembered
def user_tag(user_id: int) -> str:
    """The hash tag of a person's keys."""
    return shard_tag(timeline_shard(user_id))


class KeyOfPerson(Protocol):
    """What makes the keys of a family of people."""

    family: str

    def __call__(self, user_id: int, /) -> str: ...


def key_of_person(family: str) -> KeyOfPerson:
    """Returns what makes the keys `<hash tag>:<family>:<person>` of people."""
    made = cast(KeyOfPerson, remembered(lambda user_id: f"{user_tag(user_id)}:{family}:{user_id}"))
    made.family = family
    return made


def keys_within(shard: int, key: KeyOfPerson, names: Iterable[str]) -> list[str]:
    """Returns the keys of people of that shard, by their ids as text. Of hundreds: to find each where it is remembered
    costs several times as much."""
    before = f"{shard_tag(shard)}:{key.family}:"
    return [before + name for name in names]
