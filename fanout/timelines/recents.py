"""Recent lists: the newest entries of each pulled author, once in every shard of timelines.

So a reader's own shard holds those of everyone whom they follow: one round trip reads them
all, in the slot of the reader's timeline, and no key is hot for the whole product.

A recent list is encoded as a timeline is, without a merge set, and the same scripts deliver
to it, retract from it, and build it: insert-if-absent in id order, a floor, an opening under
a token, a snapshot that a late delivery is compared with, a tombstone for what was retracted
(materialised.py, builds.py and snapshots.py have the arguments). It belongs to nobody, so no graph version and no epoch
outdates it; it belongs to the operation *since* when its author is pulled (delivery/celebrities.py), so
a list of an earlier time is never read again, and ends ACTIVE_DAYS after it was built.

Workers feed lists that are there. One that is missing is built by the reader who misses it:
opened, pulled from the store, merged.

For example, Ada (7) is pulled since operation 70; Bob and Cleo, of shard 3, and Dan, of shard 5, follow her:

1. Bob reads. His merge set names (7, 70), and shard 3 has no `recent:7:70`: it is opened, [80, 60] is pulled, merged.
2. Her entry 90 is delivered to the `recent:7:70` of every shard: shard 3 takes it, [90, 80, 60]; shard 5 has no list.
3. Cleo reads the list that Bob has built. Dan misses his shard's, builds it, and pulls 90 with the rest.
4. Ada ceases to be pulled, and is pulled again since 200: merge sets name (7, 200), and nobody reads `recent:7:70`,
   which lacks what was pushed in between.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from django.conf import settings
from msgspec import structs

from accounts.graph.follows import graph_version_key
from fanout.timelines import layout
from fanout.timelines.builds import Opening, finish_list, new_token, open_list
from fanout.timelines.layout import pack, unpack, unpack_all
from fanout.timelines.materialised import (
    LAYOUT,
    LUA,
    SCRIPT_CHUNK,
    Window,
    deliver_to_lists,
    epoch_key,
    retract_from_lists,
    timeline_key,
)
from fanout.timelines.restoring import restore_in_lists
from fanout.timelines.snapshots import PushSnapshot
from storage.redis.node import Script, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import shard_tag, timeline_shard

RECENT_CAP = 400
"""Entries a list. 5,000 pulled authors in 8 shards are 150 MB; somebody who posts ten times a day is proved
for forty days back, further than a page is usually read."""

LISTS_A_CALL = 100
"""Lists read by one script call: it holds Redis for 1 to 4 ms, so that others come in between."""

Pulled = tuple[int, int]
"""An author, and the operation since when they are pulled."""

_recent = Script(LUA / "recent.lua", LAYOUT)
_merging = Script(LUA / "merging.lua", LAYOUT)


class Recents(msgspec.Struct, frozen=True):
    """A window of many lists together: ids newest first, complete down to the floor but for `missing` lists.

    `rest` are the entries below these that have not settled, as far as they were asked for.
    """

    ids: list[int]
    floor: int
    missing: list[Pulled]
    rest: list[int] = []


class RecentBuild(msgspec.Struct, frozen=True):
    """A list being built; `token` is the right to finish it."""

    pulled: Pulled
    shard: int
    token: bytes


def recent_key(shard: int, pulled: Pulled) -> str:
    """Returns the key of the shard's list of that author's entries of that time."""
    author_id, since = pulled
    return f"{shard_tag(shard)}:recent:{author_id}:{since}"


def deliver_commands(entry_id: int, pulled: Pulled, snapshot: PushSnapshot) -> list[Command]:
    """Returns commands that put an entry into its author's list in every shard, where there is one. Idempotent.

    Answers as materialised.deliver_commands.
    """
    return [
        deliver_to_lists(entry_id, shard, [recent_key(shard, pulled)], snapshot, cap=RECENT_CAP)
        for shard in range(settings.TIMELINE_SHARDS)
    ]


def retract_commands(entry_id: int, op: int, pulled: Pulled, snapshot: PushSnapshot) -> list[Command]:
    """Returns commands by which operation `op` takes an entry out of its author's lists. Idempotent.

    Answers as `materialised.retract_commands`.
    """
    return [
        retract_from_lists(entry_id, op, shard, [recent_key(shard, pulled)], snapshot)
        for shard in range(settings.TIMELINE_SHARDS)
    ]


def restore_commands(entry_id: int, op: int, pulled: Pulled, snapshot: PushSnapshot) -> list[Command]:
    """Returns commands by which operation `op` puts an entry back into its author's lists. Idempotent.

    Answers as `restoring.restore_commands`.
    """
    return [
        restore_in_lists(entry_id, op, shard, [recent_key(shard, pulled)], snapshot, cap=RECENT_CAP)
        for shard in range(settings.TIMELINE_SHARDS)
    ]


def read(
    reader_id: int,
    merge_set: Sequence[Pulled],
    *,
    before: int | None = None,
    after: int | None = None,
    count: int,
    settled: int = 0,
    rest: int = 0,
) -> Read[Recents]:
    """Returns a read of the newest `count` entries of all lists; of those below `before`; or nearest above `after`.

    Unless with `after`, it also says up to `rest` entries of each call below these that are above `settled`.
    A script call for each LISTS_A_CALL.
    """
    shard = timeline_shard(reader_id)
    chunks = [merge_set[start : start + LISTS_A_CALL] for start in range(0, len(merge_set), LISTS_A_CALL)]
    bounds = [pack(each) if each is not None else b"" for each in (before, after)]

    def together(*answers: Sequence[Any]) -> Recents:
        found = _together(chunks, answers, after is not None, count)
        return found if rest and after is None else structs.replace(found, rest=[])

    return Read(
        tuple(
            _recent.call([recent_key(shard, each) for each in chunk], *bounds, count, pack(settled), rest)
            for chunk in chunks
        ),
        together,
    )


def _together(
    chunks: Sequence[Sequence[Pulled]], answers: Sequence[Sequence[Any]], upwards: bool, count: int
) -> Recents:
    ids = sorted((unpack(each) for _floor, _missing, _rest, *ids in answers for each in ids), reverse=True)
    rest = [each for _floor, _missing, of_chunk, *_ids in answers for each in unpack_all(of_chunk)]
    return Recents(
        ids=ids[-count:] if upwards else ids[:count],
        floor=max((unpack(floor) for floor, *_ in answers), default=0),
        missing=[
            chunk[place - 1] for chunk, (_, missing, *_) in zip(chunks, answers, strict=True) for place in missing
        ],
        rest=sorted([*ids[count:], *rest], reverse=True),
    )


def contents(reader_id: int, merge_set: Sequence[Pulled]) -> Read[list[Window] | None]:
    """Returns a read of each of these lists as it stands; None when one is missing. For audits: of any size."""
    shard = timeline_shard(reader_id)
    return Read(tuple(("LRANGE", recent_key(shard, each), 0, -1) for each in merge_set), _windows)


def _windows(*lists: Sequence[bytes]) -> list[Window] | None:
    found = []
    for elements in lists:
        trailer = layout.ready_trailer(elements)
        if trailer is None:
            return None
        found.append(Window([unpack(each) for each in elements[:-2]], trailer.floor))
    return found


def open_builds(reader_id: int, missing: Sequence[Pulled]) -> list[RecentBuild]:
    """Opens these lists in the reader's shard, but those that are ready or being built. One round trip.

    From now on deliveries land in them, so read the store only after this. Raises `Unavailable`.
    """
    shard = timeline_shard(reader_id)
    builds = [RecentBuild(each, shard, new_token()) for each in missing]
    answers = timeline_node().round_trip(*(open_list(_keys(build), shard, build.token) for build in builds))
    return [build for build, opening in zip(builds, answers, strict=True) if opening == Opening.OPENED]


def finish_builds(pulled: Sequence[tuple[RecentBuild, Sequence[int]]]) -> None:
    """Merges each author's newest entries, at most RECENT_CAP + 1, with what was delivered meanwhile. One round trip.

    A list whose build was overtaken stays missing. Raises `Unavailable`.
    """
    timeline_node().round_trip(*(_finish_command(build, ids) for build, ids in pulled))


def discard_commands(reader_id: int, merge_set: Sequence[Pulled]) -> list[Command]:
    """Returns commands that end these lists in the reader's shard; the next reader builds them anew."""
    return [("DEL", recent_key(timeline_shard(reader_id), each)) for each in merge_set]


def discard_everywhere(pulled: Pulled) -> list[Command]:
    """Returns commands that end the author's lists of that time, in every shard."""
    return [("DEL", recent_key(shard, pulled)) for shard in range(settings.TIMELINE_SHARDS)]


def merging(shard: int, reader_ids: Sequence[int], author_id: int) -> Read[list[int]]:
    """Returns a read of the shard's readers who merge the author, or whose timelines cannot tell.

    A script call for each SCRIPT_CHUNK readers.
    """
    chunks = list(_chunks(reader_ids))

    def among(*answers: Sequence[int]) -> list[int]:
        return [chunk[place] for chunk, places in zip(chunks, answers, strict=True) for place in places]

    return Read(tuple(_merging_command(shard, chunk, author_id) for chunk in chunks), among)


def _merging_command(shard: int, reader_ids: Sequence[int], author_id: int) -> Command:
    keys = [key for each in reader_ids for key in (timeline_key(each), graph_version_key(each))]
    return _merging.call((epoch_key(shard), *keys), pack(author_id))


def _chunks(reader_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(reader_ids), SCRIPT_CHUNK):
        yield reader_ids[start : start + SCRIPT_CHUNK]


def _keys(build: RecentBuild) -> tuple[str, str, str]:
    """Returns a list's keys as scripts for timelines expect them; nothing ever stands at the last two."""
    nothing = f"{shard_tag(build.shard)}:nothing"
    return recent_key(build.shard, build.pulled), nothing, nothing


def _finish_command(build: RecentBuild, ids: Sequence[int]) -> Command:
    floor = ids[RECENT_CAP] if len(ids) > RECENT_CAP else 0
    return finish_list(_keys(build), build.token, ids[:RECENT_CAP], floor=floor)
