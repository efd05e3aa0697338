"""In whose timelines one entry stands, asked for many readers at once: a script call a shard for up to ASKED of them.

A timeline that holds the entry settles it. One that merges the entry's author has it if the author's recent list in its
shard does; which list that is, the timeline says, and it is read once for all readers of the shard who merge it.

The same call tells who is to be shown it like everybody else, by `Everyday`, which is most: of them a letter is all
that comes from Redis, and all that is looked at here. Asked for by a command of its own, and worked out here for each,
a look took twice as much of a live process (docs/adr/059).
"""

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import NamedTuple

import msgspec

from accounts.graph.follows import graph_version_key
from fanout.timelines import recents
from fanout.timelines.layout import pack, unpack
from fanout.timelines.materialised import LAYOUT, LUA, epoch_key, settled_key, timeline_key
from storage.redis.node import Script
from storage.redis.reads import Command, Read
from storage.redis.shards import KeyOfPerson, by_shard, generation_key, keys_within

ASKED = 200
"""Readers a script call: it holds Redis for a fraction of a millisecond."""

_Answer = tuple[bytes | None, bytes, bytes, Sequence[bytes], Sequence[Sequence[bytes | None]]]

_stands = Script(LUA / "stands.lua", LAYOUT)


class Everyday(msgspec.Struct, frozen=True):
    """What tells by its signs in Redis that a reader is shown an entry like everybody else."""

    exclusions_key: KeyOfPerson
    nobody: tuple[bytes, bytes]
    """What stands before and behind the graph version in the value there of who excludes nobody."""
    marks_key: KeyOfPerson
    unchanged_bytes: int
    """How long the version there is if it is of no change; there may be none."""
    unseen: bytes
    """The graph version from which on there may have been a change without a sign."""


class Signs(NamedTuple):
    """What Redis has of a reader who is told apart, as it stands there."""

    exclusions: bytes | None
    graph: bytes | None
    marks: bytes | None


class Standing(msgspec.Struct, frozen=True):
    """Of some readers, in whose timelines an entry stands by what these hold themselves; all others' do not have it."""

    there: list[int] = []
    unknown: list[int] = []
    """Whose timeline cannot tell: cold, outdated, or the entry is not above its floor."""
    merging: dict[tuple[int, int], list[int]] = {}
    """Whose timeline would have it from a recent list: by shard, and since when the author is pulled."""
    apart: dict[int, Signs] = {}
    """Who of them that are `there` or `merging` is not like all."""
    generations: dict[int, bytes | None] = {}
    """Under which all this was read, by shard."""


def read(reader_ids: Sequence[int], entry_id: int, author_id: int, everyday: Everyday) -> Read[Standing]:
    """Returns a read of in whose timelines the entry, which is by that author, stands; and who is told apart."""
    chunks = list(_chunks(reader_ids))

    def together(*answers: _Answer) -> Standing:
        found = Standing()
        for (shard, readers), answer in zip(chunks, answers, strict=True):
            _add(found, shard, readers, answer)
        return found

    return Read(tuple(_command(shard, readers, entry_id, author_id, everyday) for shard, readers in chunks), together)


def _add(found: Standing, shard: int, reader_ids: Sequence[int], answer: _Answer) -> None:
    generation, letters, kinds, sinces, signs = answer
    found.generations[shard] = generation
    since = iter(sinces)
    if letters.count(b"S") == len(reader_ids):
        found.there.extend(reader_ids)
    else:
        for reader_id, letter in zip(reader_ids, letters.decode(), strict=True):
            if letter == "S":
                found.there.append(reader_id)
            elif letter == "U":
                found.unknown.append(reader_id)
            elif letter == "P":
                found.merging.setdefault((shard, unpack(next(since))), []).append(reader_id)
    if signs:
        apart = compress(reader_ids, (kind == ord("T") for kind in kinds))
        found.apart.update((reader_id, Signs(*each)) for reader_id, each in zip(apart, signs, strict=True))


def recents_of(entry_id: int, author_id: int, merging: dict[tuple[int, int], list[int]]) -> list[Read[recents.Recents]]:
    """Returns for each of `Standing.merging` a read of that recent list: the entry, if it is there, and what is not."""
    return [
        recents.read(readers[0], [(author_id, since)], before=entry_id + 1, count=1)
        for (_shard, since), readers in merging.items()
    ]


def _command(shard: int, reader_ids: Sequence[int], entry_id: int, author_id: int, everyday: Everyday) -> Command:
    names = [*map(str, reader_ids)]
    families = (timeline_key, graph_version_key, everyday.exclusions_key, everyday.marks_key)
    keys = [key for family in families for key in keys_within(shard, family, names)]
    told = (*everyday.nobody, everyday.unseen, everyday.unchanged_bytes)
    of_all = (epoch_key(shard), settled_key(shard), generation_key(shard))
    return _stands.call((*of_all, *keys), pack(entry_id), pack(author_id), *told)


def _chunks(reader_ids: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    for shard, readers in by_shard(reader_ids).items():
        for start in range(0, len(readers), ASKED):
            yield shard, readers[start : start + ASKED]
