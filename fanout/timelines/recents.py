"""Recent lists: the newest entries of each pulled author, once in every shard of timelines.

So a reader's own shard holds those of everyone whom they follow: one round trip reads them
all, in the slot of the reader's timeline, and no key is hot for the whole product.

A recent list is encoded as a timeline is, without a merge set, and the same scripts deliver
to it, retract from it, and build it: insert-if-absent in id order, a floor, an opening under
a token, a note that a late delivery is compared with, a tombstone for what was retracted
(timelines/materialised.py has the arguments). It belongs to nobody, so no graph version and no epoch
outdates it; it belongs to the operation *since* when its author is pulled (delivery/celebrities.py), so
a list of an earlier time is never read again, and ends ACTIVE_DAYS after it was built.

Workers feed lists that are there. One that is missing is built by the reader who misses it:
opened, pulled from the store, merged.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from django.conf import settings

from accounts.graph.follows import graph_version_key
from fanout.timelines.materialised import (
    BUILD_SECONDS,
    LUA,
    SCRIPT_CHUNK,
    Note,
    Window,
    active_seconds,
    deliver_to_lists,
    epoch_key,
    opened_key,
    pack,
    retract_from_lists,
    timeline_key,
    unpack,
)
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.scripts import Script
from storage.redis.shards import generation_key, shard_tag, timeline_shard

RECENT_CAP = 400
"""Entries a list. 5,000 pulled authors in 8 shards are 150 MB; somebody who posts ten times a day is proved
for forty days back, further than a page is usually read."""

LISTS_A_CALL = 100
"""Lists read by one script call: it holds Redis for 1 to 4 ms, so that others come in between."""

Pulled = tuple[int, int]
"""An author, and the operation since when they are pulled."""

_open = Script(LUA / "open.lua")
_merge = Script(LUA / "merge.lua")
_recent = Script(LUA / "recent.lua")
_merging = Script(LUA / "merging.lua")


class Recents(msgspec.Struct, frozen=True):
    """A window of many lists together: ids newest first, complete down to the floor but for `missing` lists."""

    ids: list[int]
    floor: int
    missing: list[Pulled]


class RecentBuild(msgspec.Struct, frozen=True):
    """A list being built; `token` is the right to finish it."""

    pulled: Pulled
    shard: int
    token: bytes


def recent_key(shard: int, pulled: Pulled) -> str:
    author_id, since = pulled
    return f"{shard_tag(shard)}:recent:{author_id}:{since}"


def deliver_commands(entry_id: int, pulled: Pulled, noted: Note) -> list[Command]:
    """Commands that put an entry into its author's list in every shard, where there is one. Idempotent.

    Answers as timelines.deliver_commands.
    """
    return [
        deliver_to_lists(entry_id, shard, [recent_key(shard, pulled)], noted, cap=RECENT_CAP)
        for shard in range(settings.TIMELINE_SHARDS)
    ]


def retract_commands(entry_id: int, pulled: Pulled) -> list[Command]:
    """Commands that take an entry out of its author's lists for good. Idempotent."""
    return [
        retract_from_lists(entry_id, shard, [recent_key(shard, pulled)]) for shard in range(settings.TIMELINE_SHARDS)
    ]


def read(
    reader_id: int, merge_set: Sequence[Pulled], *, before: int | None = None, after: int | None = None, count: int
) -> Recents:
    """The newest `count` entries of all these lists together; those below `before`; or the nearest above `after`.

    One round trip, in a script call for each LISTS_A_CALL. Raises `Unavailable`.
    """
    shard = timeline_shard(reader_id)
    chunks = [merge_set[start : start + LISTS_A_CALL] for start in range(0, len(merge_set), LISTS_A_CALL)]
    bounds = [pack(each) if each is not None else b"" for each in (before, after)]
    answers = timeline_node().round_trip(
        *(_recent.call([recent_key(shard, each) for each in chunk], *bounds, count) for chunk in chunks)
    )
    return _together(chunks, answers, after is not None, count)


def _together(chunks: Sequence[Sequence[Pulled]], answers: Sequence[Any], upwards: bool, count: int) -> Recents:
    ids = sorted((unpack(each) for _floor, _missing, *ids in answers for each in ids), reverse=True)
    return Recents(
        ids=ids[-count:] if upwards else ids[:count],
        floor=max((unpack(floor) for floor, *_ in answers), default=0),
        missing=[
            chunk[place - 1] for chunk, (_, missing, *_) in zip(chunks, answers, strict=True) for place in missing
        ],
    )


def contents(reader_id: int, merge_set: Sequence[Pulled]) -> list[Window] | None:
    """Each of these lists as it stands; None when one is missing. For audits: one round trip, however large."""
    shard = timeline_shard(reader_id)
    answers = timeline_node().round_trip(*(("LRANGE", recent_key(shard, each), 0, -1) for each in merge_set))
    if not all(answer and answer[-1].startswith(b"R") for answer in answers):
        return None
    return [Window([unpack(each) for each in answer[:-2]], unpack(answer[-1][1:9])) for answer in answers]


def open_builds(reader_id: int, missing: Sequence[Pulled]) -> list[RecentBuild]:
    """Opens these lists in the reader's shard, but those that are ready or being built. One round trip.

    From now on deliveries land in them, so read the store only after this. Raises `Unavailable`.
    """
    shard = timeline_shard(reader_id)
    builds = [RecentBuild(each, shard, secrets.token_bytes(8)) for each in missing]
    answers = timeline_node().round_trip(
        *(
            _open.call((*_keys(build), generation_key(shard), opened_key(shard)), build.token, BUILD_SECONDS)
            for build in builds
        )
    )
    return [build for build, opened in zip(builds, answers, strict=True) if opened == 1]


def finish_builds(pulled: Sequence[tuple[RecentBuild, Sequence[int]]]) -> None:
    """Merges each author's newest entries, at most RECENT_CAP + 1, with what was delivered meanwhile. One round trip.

    A list whose build was overtaken stays missing. Raises `Unavailable`.
    """
    timeline_node().round_trip(*(_finish_command(build, ids) for build, ids in pulled))


def discard_commands(reader_id: int, merge_set: Sequence[Pulled]) -> list[Command]:
    """Commands that end these lists in the reader's shard; the next reader builds them anew."""
    return [("DEL", recent_key(timeline_shard(reader_id), each)) for each in merge_set]


def merging_commands(shard: int, reader_ids: Sequence[int], author_id: int) -> list[Command]:
    """Commands, for SCRIPT_CHUNK readers each, whose answers `merging` understands."""
    return [
        _merging.call(
            (epoch_key(shard), *(key for each in chunk for key in (timeline_key(each), graph_version_key(each)))),
            pack(author_id),
        )
        for chunk in _chunks(reader_ids)
    ]


def merging(reader_ids: Sequence[int], answers: Sequence[Sequence[int]]) -> list[int]:
    """Those of the readers who merge the author, or whose timelines cannot tell."""
    return [chunk[place] for chunk, places in zip(_chunks(reader_ids), answers, strict=True) for place in places]


def _chunks(reader_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(reader_ids), SCRIPT_CHUNK):
        yield reader_ids[start : start + SCRIPT_CHUNK]


def _keys(build: RecentBuild) -> tuple[str, str, str]:
    """A list's keys as scripts for timelines expect them; nothing ever stands at the last two."""
    nothing = f"{shard_tag(build.shard)}:nothing"
    return recent_key(build.shard, build.pulled), nothing, nothing


def _finish_command(build: RecentBuild, ids: Sequence[int]) -> Command:
    floor = ids[RECENT_CAP] if len(ids) > RECENT_CAP else 0
    packed = b"".join(pack(each) for each in ids[:RECENT_CAP])
    return _merge.call(_keys(build), build.token, pack(floor), active_seconds(), b"", packed)
