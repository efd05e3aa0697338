"""Materialised home timelines in Redis: the one module that touches their keys.

A timeline is one list: entry ids, newest first, 8 bytes each, and as its last element a
*trailer* that holds the floor. Floor and entries therefore live and die together, an
existing list means "active" (an inactive follower costs a delivery one lookup), and a
timeline without entries is still a list.

    trailer = state (1 byte) · floor (8) · graph version (8) · token (8)

**Floor.** A ready timeline holds every entry above its floor (but those whose order is
still open). Below it the reader asks the store. Trimming raises the floor to the newest
entry dropped, in the same step. Floor 0: the timeline holds everything there is.

**Insert** is insert-if-absent in id order, and an id at or below the floor is dropped. So
deliveries commute with each other, with their repetitions and with a rebuild.

**Rebuild** opens the timeline under a token, so that deliveries land in it from then on;
pulls from the store; then merges and sets the floor in one step, only under its own token
and while the reader's graph version is still the one that it opened under. A tweet written
before the pull is pulled; one written later is delivered after the opening, and lands.
Concurrent readers build once. An abandoned build ends by itself after BUILD_SECONDS.

**Graph version.** A timeline built under another version of its reader's graph than the
current one counts as cold: it may hold people whom the reader no longer follows.

Ids are compared as two 32-bit halves: a Lua number cannot hold 63 bits exactly, and Lua
compares strings by locale.
"""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from accounts.graph import graph_version_key
from storage.redis import Command, Script, shard_of, timeline_node, user_tag

SCRIPT_CHUNK = 500
"""Timelines a script call: it holds Redis for about 1.4 ms, which every reader of the node waits."""
TRIM_SLACK = 100
"""Trimming only past this many entries too many costs a third of trimming at each delivery."""
BUILD_SECONDS = 30
"""Longer than any rebuild; afterwards an abandoned one is gone and the next reader builds."""

LUA = Path(__file__).parent / "lua"
_deliver = Script(LUA / "deliver.lua")
_retract = Script(LUA / "retract.lua")
_read = Script(LUA / "read.lua")
_open = Script(LUA / "open.lua")
_merge = Script(LUA / "merge.lua")
_touch = Script(LUA / "touch.lua")


class Window(msgspec.Struct, frozen=True):
    """What a ready timeline answered: ids newest first, and the floor they are complete down to."""

    ids: list[int]
    floor: int


class Build(msgspec.Struct, frozen=True):
    """A rebuild under way; `token` is the right to finish it."""

    reader_id: int
    token: bytes


def timeline_key(reader_id: int) -> str:
    return f"{user_tag(reader_id)}:home:{reader_id}"


def deliver_commands(entry_id: int, shards: dict[int, list[int]]) -> list[Command]:
    """Commands that put an entry into every active timeline of the readers, by shard. Idempotent.

    A script call for each SCRIPT_CHUNK readers of a shard, which answers how many were active.
    """
    return _on_each_shard(_deliver, shards, pack(entry_id), settings.TIMELINE_CAP, TRIM_SLACK)


def retract_commands(entry_id: int, shards: dict[int, list[int]]) -> list[Command]:
    """Commands that take an entry out of the readers' timelines, by shard. Idempotent."""
    return _on_each_shard(_retract, shards, pack(entry_id))


def read_command(reader_id: int, *, before: int | None = None, after: int | None = None, count: int) -> Command:
    """The command whose answer `window` understands.

    The newest `count` entries; those below `before`; or the nearest `count` above `after`.
    """
    return _read.call(
        (timeline_key(reader_id), graph_version_key(reader_id)),
        pack(before) if before is not None else b"",
        pack(after) if after is not None else b"",
        count,
    )


def window(answer: list[Any]) -> Window | None:
    """The window that a read answered; None when the timeline is not there, not ready or outdated."""
    if not answer:
        return None
    floor, *ids = (unpack(each) for each in answer)
    return Window(ids, floor)


def touch_command(reader_id: int) -> Command:
    """Keeps the timeline for another ACTIVE_DAYS: sent with each read by its owner."""
    return _touch.call([timeline_key(reader_id)], active_seconds())


def discard_command(reader_id: int) -> Command:
    """Ends the reader's timeline, whatever its state; the next read builds it anew."""
    return ("DEL", timeline_key(reader_id))


def open_build(reader_id: int) -> Build | None:
    """Opens the reader's timeline for a rebuild; None when it is ready, or another is building it.

    From now on deliveries land in it, so read the graph and the store only after this.
    """
    token = secrets.token_bytes(8)
    [opened] = timeline_node().round_trip(
        _open.call((timeline_key(reader_id), graph_version_key(reader_id)), token, BUILD_SECONDS)
    )
    return Build(reader_id, token) if opened else None


def finish_build(build: Build, ids: Sequence[int], *, floor: int) -> bool:
    """Merges the pulled `ids` (newest first) with what was delivered meanwhile; ready from now on.

    False when the build was overtaken: the graph changed, Redis was emptied, or it took too long.
    """
    [finished] = timeline_node().round_trip(
        _merge.call(
            (timeline_key(build.reader_id), graph_version_key(build.reader_id)),
            build.token,
            pack(floor),
            active_seconds(),
            b"".join(pack(each) for each in ids),
        )
    )
    return bool(finished)


def active_seconds() -> int:
    return settings.ACTIVE_DAYS * 24 * 3600


def pack(number: int) -> bytes:
    return number.to_bytes(8, "big")


def unpack(packed: bytes) -> int:
    return int.from_bytes(packed, "big")


def by_shard(reader_ids: Iterable[int]) -> dict[int, list[int]]:
    """Readers grouped by the shard that their timelines live on."""
    shards: dict[int, list[int]] = {}
    for reader_id in reader_ids:
        shards.setdefault(shard_of(reader_id), []).append(reader_id)
    return shards


def _on_each_shard(script: Script, shards: dict[int, list[int]], *args: bytes | int) -> list[Command]:
    return [
        script.call((timeline_key(reader_id) for reader_id in readers[start : start + SCRIPT_CHUNK]), *args)
        for readers in shards.values()
        for start in range(0, len(readers), SCRIPT_CHUNK)
    ]
