"""Making a timeline anew in Redis, and keeping one that is still right: the steps of feed/timelines/rebuild.py.

**Rebuild** opens the timeline under a token, so that deliveries land in it from then on;
pulls from the store; then merges and sets the floor in one step, only under its own token
and while the reader's graph version and the epoch are still those that it opened under. A
tweet written before the pull is pulled; one written later is delivered after the opening, and
lands. Concurrent readers build once. An abandoned build ends by itself after BUILD_SECONDS.

For example, Ben follows Ada and Cleo and has no timeline; in the store stand their entries 80 and 70:

1. Ben reads. His timeline is opened under token t1, empty and building.
2. The store is pulled: [80, 70]. Then Ada's entry 90 is written, which this pull lacks.
3. A worker delivers 90: a list is there, so it lands: [90].
4. `finish_build` under t1 merges [80, 70] with [90]: ready, [90, 80, 70].

Were the store pulled before the opening, 90 could be written and delivered in between: to no list, and
into no pull. If Ben unfollows Ada after 2, his graph version is another one at 4, which changes
nothing and answers so; the next read opens under t2. A slow worker with t1 cannot end that one.

**Retract wins over a rebuild.** What is retracted while a timeline is being built is written down behind
its trailer, so that what was pulled before is not merged after:

1. Ben's timeline is opened, and [90, 80] pulled.
2. Ada deletes 90: it is taken out of the list, which does not hold it yet, and written behind the trailer.
3. `finish_build` merges [90, 80] without 90: ready, [80].

**Graph version.** A timeline built under another version of its reader's graph than the
current one counts as cold: it may hold people whom the reader no longer follows.

**Epoch.** One that was built under another epoch is read, but not served before its merge set has
been compared with the store (delivery/celebrities.py): then it is revalidated, or made anew.
"""

import secrets
from collections.abc import Sequence
from enum import IntEnum

import msgspec

from accounts.graph.follows import graph_version_key
from fanout.timelines import layout
from fanout.timelines.materialised import LAYOUT, LUA, active_seconds, epoch_key, settled_key, timeline_key
from fanout.timelines.snapshots import opened_key
from storage.ids.settling import settled_place
from storage.redis.generations import begin
from storage.redis.node import Script, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import generation_key, timeline_shard

BUILD_SECONDS = 30
"""Longer than any rebuild; afterwards an abandoned one is gone and the next reader builds."""
TOKEN_BYTES = 8

_open = Script(LUA / "open.lua", LAYOUT)
_merge = Script(LUA / "merge.lua", LAYOUT)
_revalidate = Script(LUA / "revalidate.lua", LAYOUT)


class Opening(IntEnum):
    """The answers of opening a list."""

    OPENED = 1
    TAKEN = 0
    """It is ready, or somebody else is building it."""
    NO_GENERATION = -1
    """The node was emptied, and nobody has begun anew."""


class Build(msgspec.Struct, frozen=True):
    """A rebuild under way; `token` is the right to finish it."""

    reader_id: int
    token: bytes


class Standing(msgspec.Struct, frozen=True):
    """A ready timeline's merge set, when it was opened, and the epoch of now, which need not be the timeline's."""

    reader_id: int
    token: bytes
    epoch: bytes
    merge_set: tuple[tuple[int, int], ...]
    opened_us: int


def open_build(reader_id: int) -> Build | None:
    """Opens the reader's timeline for a rebuild; None when it is ready, or another is building it.

    From now on deliveries land in it, so read the graph, the pulled authors and the store only
    after this. One round trip; two more when the node has no generation yet. Raises `Unavailable`.
    """
    token = new_token()
    command = open_list(_keys(reader_id), timeline_shard(reader_id), token)
    [opening] = timeline_node().round_trip(command)
    if opening == Opening.NO_GENERATION:
        begin(timeline_node())
        [opening] = timeline_node().round_trip(command)
    return Build(reader_id, token) if opening == Opening.OPENED else None


def finish_build(build: Build, ids: Sequence[int], *, floor: int, merge_set: Sequence[tuple[int, int]] = ()) -> bool:
    """Merges the pulled `ids` (newest first) with what was delivered meanwhile; ready from now on.

    `merge_set`: authors whose entries are not among them, each with the operation since when
    they are pulled. False when the build was overtaken: the graph or the epoch changed, Redis was
    emptied, or it took too long. One round trip.
    """
    command = finish_list(_keys(build.reader_id), build.token, ids, floor=floor, merge_set=merge_set)
    [finished] = timeline_node().round_trip(command)
    return bool(finished)


def standing(reader_id: int) -> Read[Standing | None]:
    """Returns a read of the reader's timeline as it stands, None when none is ready.

    Ask it before it is looked up who is pulled.
    """

    def decoded(epoch: bytes | None, ends: list[bytes]) -> Standing | None:
        trailer = layout.ready_trailer(ends)
        if trailer is None:
            return None
        merge_set = layout.parse_merge_set(ends[0])
        return Standing(reader_id, trailer.token, epoch or layout.NONE, merge_set, trailer.opened_us)

    _timeline, _version, epoch = _keys(reader_id)
    return Read((("GET", epoch), ("LRANGE", timeline_key(reader_id), -2, -1)), decoded)


def revalidate(found: Standing) -> bool:
    """Has the timeline serve under the epoch that it was found in; False when it has been made anew since.

    To be called when its merge set is still right. One round trip.
    """
    command = _revalidate.call([timeline_key(found.reader_id)], found.token, found.epoch)
    [revalidated] = timeline_node().round_trip(command)
    return bool(revalidated)


def new_token() -> bytes:
    """Makes the right to finish one build."""
    return secrets.token_bytes(TOKEN_BYTES)


def open_list(keys: tuple[str, str, str], shard: int, token: bytes) -> Command:
    """Returns the command that opens a list of the shard, encoded as timelines are; answers an `Opening`.

    Make it right before it is sent: the shard's first says what has settled (settled.py).
    `keys`: the list, and where the graph version and the epoch stand that outdate it.
    """
    return _open.call(
        (*keys, generation_key(shard), opened_key(shard), settled_key(shard)),
        token,
        BUILD_SECONDS,
        layout.pack(settled_place()),
    )


def finish_list(
    keys: tuple[str, str, str],
    token: bytes,
    ids: Sequence[int],
    *,
    floor: int,
    merge_set: Sequence[tuple[int, int]] = (),
) -> Command:
    """Returns the command that ends what `open_list` began under this token; answers 1, or 0 when it was overtaken."""
    packed_set, packed_ids = layout.pack_merge_set(merge_set), layout.pack_all(ids)
    return _merge.call(keys, token, layout.pack(floor), active_seconds(), packed_set, packed_ids)


def _keys(reader_id: int) -> tuple[str, str, str]:
    return timeline_key(reader_id), graph_version_key(reader_id), epoch_key(timeline_shard(reader_id))
