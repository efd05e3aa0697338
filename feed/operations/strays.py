"""Strays: keys of the timeline Redis that nobody reads any more, or that would never end.

Three sorts, by `Why`: what the reading of somebody left who is suspended or gone (a purge of
somebody may miss something, see accounts/people/purge.py); what has no end, or ends later than a
reader who stays away is remembered; and what belongs to another number of TIMELINE_SHARDS.

The node is walked by SCAN, which finds every key that stands there from beginning to end, in
steps of bounded work, while traffic runs. Nothing that is removed was needed: people who may
read get their timelines and caches anew. What belongs to one person's reading goes together,
as in a purge, so that nothing made under an older graph version counts again.

A key is written and given its end in one step, or in two commands of one round trip: one
without an end counts only if it is found so again after a moment.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

import msgspec
import structlog
from django.conf import settings

from accounts.people.purge import READING, purge_command
from accounts.people.selectors import shut_out_among
from fanout.timelines.materialised import active_seconds
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import timeline_shard

log = structlog.get_logger(__name__)

STEP = 500
"""Keys looked at together: a look holds Redis for less than a millisecond, and the query for people is small."""
STEPS_A_RUN = 100
"""Of the daily search: 50,000 keys in about half a second, then other maintenance has its turn."""
MOMENT_SECONDS = 0.2
REST_SECONDS = 86_400
CURSOR_BITS = 64
DAY_SECONDS = 86_400
FOR_EVER = {
    "generation": "what makes everything else count",
    "opened": "a count that snapshots are compared with; it goes with the generation",
    "settled": "how far polls may go; an old one is safe, and it goes with the generation",
    "epoch": "what merge sets are compared with; it goes with the generation",
}
"""The families that have no end, one small key a shard each, and why."""

PLACE_KEY = "stray-search"
"""Where the daily search stands: a cursor, or RESTING."""
RESTING = b"resting"

TAGGED = re.compile(rb"\{t(\d+)/(\d+)\}:([\w-]+)(?::(.*))?", re.DOTALL)


class Why(StrEnum):
    SHUT_OUT = "of someone suspended or gone"
    LASTING = "without end"
    UNREACHABLE = "of another number of shards"


class Key(msgspec.Struct, frozen=True):
    """A key, taken apart; `reader_id` is whose reading left it, if it is of such a family."""

    name: bytes
    family: str
    reader_id: int | None = None
    reachable: bool = True


class Stray(msgspec.Struct, frozen=True):
    key: Key
    why: Why


class Report(msgspec.Struct):
    """What a search has seen so far."""

    keys: int = 0
    found: Counter[tuple[str, Why]] = msgspec.field(default_factory=Counter)
    removed: int = 0

    @property
    def clean(self) -> bool:
        """Returns whether no stray is left."""
        return self.found.total() == self.removed


def search(
    report: Report, *, remove: bool, cursor: int = 0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[int]:
    """Looks at every key from `cursor` on; yields the cursor after each step, 0 after the last.

    `report` is brought up to date before. A step costs two Redis round trips and one SQL query,
    a moment and a third trip when a key without end is among them, and one more to remove.
    Raises `Unavailable`.
    """
    while True:
        names, cursor = _scanned(cursor)
        keys = [parsed(name) for name in dict.fromkeys(names)]
        strays = _strays_among(keys, sleep) if keys else []
        report.keys += len(keys)
        report.found.update((stray.key.family, stray.why) for stray in strays)
        if remove and strays:
            timeline_node().round_trip(*map(_removal, strays))
            report.removed += len(strays)
        yield cursor
        if not cursor:
            return


def _scanned(cursor: int) -> tuple[list[bytes], int]:
    """The next keys, and where to go on; 0 after the last.

    Cursors are of one server. Those of a cluster are scanned one after the other, and which one it is stands above the
    64 bits of its own cursor; whoever comes or goes meanwhile has others scanned twice, or not before the next search.
    """
    parts = timeline_node().parts()
    number = cursor >> CURSOR_BITS
    if number >= len(parts):
        return [], 0
    [(after, names)] = parts[number].round_trip(("SCAN", cursor % (1 << CURSOR_BITS), "COUNT", STEP))
    if int(after):
        return names, (number << CURSOR_BITS) + int(after)
    return names, (number + 1) << CURSOR_BITS if number + 1 < len(parts) else 0


def run_daily_search() -> None:
    """Goes on with the daily search for STEPS_A_RUN steps, removing strays; does nothing when today's is over.

    Where it stands is kept in the node itself: if that is emptied, it begins anew. Raises `Unavailable`.
    """
    [place] = timeline_node().round_trip(("GET", PLACE_KEY))
    if place == RESTING:
        return
    report = Report()
    cursor = int(place or 0)
    for after_step in islice(search(report, remove=True, cursor=cursor), STEPS_A_RUN):
        cursor = after_step
    timeline_node().round_trip(("SET", PLACE_KEY, cursor or RESTING, "EX", REST_SECONDS))
    if report.found:
        log.warning("strays_removed", found={f"{family} {why}": n for (family, why), n in report.found.items()})


def parsed(name: bytes) -> Key:
    """Keys of a person or shard begin with a tag; the others with their family."""
    match = TAGGED.fullmatch(name)
    if match is None:
        return Key(name, name.split(b":")[0].decode(errors="replace"))
    shard, shards, family, rest = int(match[1]), int(match[2]), match[3].decode(), match[4] or b""
    if shards != settings.TIMELINE_SHARDS or shard >= shards:
        return Key(name, family, reachable=False)
    if family not in READING:
        return Key(name, family)
    reader_id = int(rest) if rest.isdigit() else 0
    return Key(name, family, reader_id, reachable=timeline_shard(reader_id) == shard)


def longest_seconds(family: str) -> int:
    """Returns how long a key may last: a timeline ACTIVE_DAYS, a graph version, the longest of all, a day more."""
    return active_seconds() + (0 if family == "home" else DAY_SECONDS)


def _strays_among(keys: Sequence[Key], sleep: Callable[[float], None]) -> list[Stray]:
    shut_out = shut_out_among({key.reader_id for key in keys if key.reader_id is not None and key.reachable})
    lasting = _lasting(keys)
    if lasting:
        sleep(MOMENT_SECONDS)
        lasting = _lasting([key for key in keys if key.name in lasting])
    return [Stray(key, why) for key in keys if (why := _why(key, shut_out, lasting)) is not None]


def _why(key: Key, shut_out: set[int], lasting: set[bytes]) -> Why | None:
    if not key.reachable:
        return Why.UNREACHABLE
    if key.reader_id in shut_out:
        return Why.SHUT_OUT
    return Why.LASTING if key.name in lasting else None


def _lasting(keys: Sequence[Key]) -> set[bytes]:
    """The names of those that end too late or never, among the families that must end. One round trip."""
    ending = [key for key in keys if key.family not in FOR_EVER]
    seconds = timeline_node().round_trip(*(("TTL", key.name) for key in ending)) if ending else []
    return {
        key.name for key, left in zip(ending, seconds, strict=True) if left == -1 or left > longest_seconds(key.family)
    }


def _removal(stray: Stray) -> Command:
    key = stray.key
    if key.reader_id is not None and key.reachable:
        return purge_command(key.reader_id)
    return ("UNLINK", key.name)
