"""Putting a retracted entry back into timelines, and having what is told of its end come before that, or not at all.

**The later of a retraction and a restoration wins.** A tombstone holds the operation that laid it, and whoever restores
*lifts* it in every shard first: from then on it holds the restoration, and refuses what retracts the entry by an
earlier operation. Both push under snapshots, and look after these for which operation their order stands
(orders/handlers.py). So a worker that stood still is refused by the tombstone, or as one of a delivery is
(materialised.py). What its author deleted is retracted FOR_GOOD, an operation above all others. For example, 90 was
deleted by operation 100 and restored by 105, and a worker of each is at it:

1. 100's worker took its snapshot at 0, saw that its order stands, took 90 out of shard 1, and stands still.
2. At 1 the restoration is written. 105's worker lifts 90's tombstones, and puts it back into the timelines.
3. At 20 100's worker goes on with shard 2: the tombstone there is of 105, so nothing is taken out. Nor is anybody told
   of what it took out of shard 1: that is published by a script which looks at the tombstone in the same step.
4. Had it gone on at 125, after the tombstone: its snapshot is 125 s old, and is refused.

**A timeline that is being built** may have been told to leave the entry out, and may have pulled before it was back:
the entry is taken off what is left out, and put into what was delivered. One that was opened after the snapshot pulls
an entry that is back, and was told of no earlier retraction: the tombstones had been lifted by then.
"""

from collections.abc import Iterable

from django.conf import settings

from fanout.timelines.layout import pack
from fanout.timelines.materialised import (
    GONE_SECONDS,
    INSERT,
    LAYOUT,
    LUA,
    PUSHES,
    TRIM_SLACK,
    age_of,
    chunks,
    gone_key,
    timeline_keys,
)
from fanout.timelines.snapshots import PushSnapshot, opened_key
from storage.redis.node import Script
from storage.redis.reads import Command
from storage.redis.shards import generation_key

_lift = Script(LUA / "lift.lua", LAYOUT, PUSHES)
_restore = Script(LUA / "restore.lua", LAYOUT, PUSHES, INSERT)
_publish = Script(LUA / "publish.lua", LAYOUT, PUSHES)


def lift_commands(entry_id: int, op: int, snapshot: PushSnapshot) -> list[Command]:
    """Returns commands by which operation `op` has the entry's tombstones give way to its restoration.

    To be sent before the snapshot is taken under which the entry is put back. Give the answers to `raise_if_refused`.
    """
    return [
        _lift.call(
            (gone_key(shard, entry_id), generation_key(shard)), pack(op), GONE_SECONDS, *age_of(snapshot.of(shard))
        )
        for shard in range(settings.TIMELINE_SHARDS)
    ]


def restore_commands(entry_id: int, op: int, shards: dict[int, list[int]], snapshot: PushSnapshot) -> list[Command]:
    """Returns commands by which operation `op` puts a retracted entry back, as `deliver_commands` puts one in.

    Finding the place of an old entry takes some 70 µs, so of far fewer readers at a time. Give the answers to
    `raise_if_refused`.
    """
    return [
        restore_in_lists(entry_id, op, shard, timeline_keys(shard, readers), snapshot, cap=settings.TIMELINE_CAP)
        for shard, readers in chunks(shards)
    ]


def restore_in_lists(
    entry_id: int, op: int, shard: int, keys: Iterable[str], snapshot: PushSnapshot, *, cap: int
) -> Command:
    """Returns the command by which operation `op` puts an entry back into lists that are encoded as timelines are."""
    stood = snapshot.of(shard)
    return _restore.call(
        (gone_key(shard, entry_id), generation_key(shard), opened_key(shard), *keys),
        pack(entry_id),
        cap,
        TRIM_SLACK,
        *age_of(stood),
        stood.openings,
        pack(op),
    )


def publish_in_order(message: Command, entry_id: int, op: int, shard: int, snapshot: PushSnapshot) -> Command:
    """Returns a message as a script that publishes it unless a later operation on the entry than `op` came before.

    Its channel is of that shard, too. It leaves the tombstone of `op` there: who restores comes before this, or lifts
    that. Give the answer to `raise_if_refused`.
    """
    word, channel, payload = message
    keys = (gone_key(shard, entry_id), generation_key(shard))
    return _publish.call(keys, pack(op), GONE_SECONDS, *age_of(snapshot.of(shard)), word, channel, payload)
