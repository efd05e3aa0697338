"""In whose timelines one entry stands, asked for many readers at once: a script call a shard for up to ASKED of them.

A timeline that holds the entry settles it. One that merges the entry's author has it if the author's recent list in its
shard does; which list that is, the timeline says, and it is read once for all readers of the shard who merge it.
"""

from collections.abc import Iterator, Sequence

import msgspec

from accounts.graph.follows import graph_version_key
from fanout.timelines import recents
from fanout.timelines.layout import pack, unpack
from fanout.timelines.materialised import LAYOUT, LUA, epoch_key, settled_key, timeline_key
from storage.redis.node import Script
from storage.redis.reads import Command, Read
from storage.redis.shards import by_shard, keys_within

ASKED = 200
"""Readers a script call: it holds Redis for a fraction of a millisecond."""

_stands = Script(LUA / "stands.lua", LAYOUT)


class Standing(msgspec.Struct, frozen=True):
    """Of some readers, in whose timelines an entry stands by what these hold themselves; all others' do not have it."""

    there: list[int]
    unknown: list[int]
    """Whose timeline cannot tell: cold, outdated, or the entry is not above its floor."""
    merging: dict[tuple[int, int], list[int]]
    """Whose timeline would have it from a recent list: by shard, and since when the author is pulled."""


def read(reader_ids: Sequence[int], entry_id: int, author_id: int) -> Read[Standing]:
    """Returns a read of in whose timelines the entry, which is by that author, stands."""
    chunks = list(_chunks(reader_ids))

    def together(*answers: Sequence[bytes]) -> Standing:
        found = Standing([], [], {})
        for (shard, readers), (letters, *sinces) in zip(chunks, answers, strict=True):
            since = iter(sinces)
            for reader_id, letter in zip(readers, letters.decode(), strict=True):
                if letter == "S":
                    found.there.append(reader_id)
                elif letter == "U":
                    found.unknown.append(reader_id)
                elif letter == "P":
                    found.merging.setdefault((shard, unpack(next(since))), []).append(reader_id)
        return found

    return Read(tuple(_command(shard, readers, entry_id, author_id) for shard, readers in chunks), together)


def recents_of(entry_id: int, author_id: int, merging: dict[tuple[int, int], list[int]]) -> list[Read[recents.Recents]]:
    """Returns for each of `Standing.merging` a read of that recent list: the entry, if it is there, and what is not."""
    return [
        recents.read(readers[0], [(author_id, since)], before=entry_id + 1, count=1)
        for (_shard, since), readers in merging.items()
    ]


def _command(shard: int, reader_ids: Sequence[int], entry_id: int, author_id: int) -> Command:
    names = [*map(str, reader_ids)]
    keys = (*keys_within(shard, timeline_key, names), *keys_within(shard, graph_version_key, names))
    return _stands.call((epoch_key(shard), settled_key(shard), *keys), pack(entry_id), pack(author_id))


def _chunks(reader_ids: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    for shard, readers in by_shard(reader_ids).items():
        for start in range(0, len(readers), ASKED):
            yield shard, readers[start : start + ASKED]
