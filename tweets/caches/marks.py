"""What a viewer has marked: likes, retweets, bookmarks; cached so that absence, too, is proved.

In Redis stand, for each viewer and kind, the newest marks (MARKS_KEPT) and a *floor*. A mark is
made after its tweet, so it has the greater id; the marks that are not kept are older than the
oldest one kept. So of a tweet above that one's id, what is not in the cache is not marked; below
it the store is asked. When all marks are kept, the floor is 0, and no store is ever asked.
Clocks of two processes differ a little, so the floor stands CLOCK_SKEW above the oldest mark kept.

For example, with two marks kept and no skew: Bob liked tweet 10 as operation 60, 50 as 70, and 30 as 80. Kept are
[30, 50], with floor 70. Tweet 50 is liked, it stands there. Tweet 90 is not: a like of it would be newer than 90, hence
kept in place of that of 70. Of 10 and 20, at or below the floor, the store is asked: 10 is liked, 20 is not.

    hash  marks:<viewer>   like, retweet, bookmark → floor (8 bytes) · tweet ids (8 each), newest mark first
                           graph → the viewer's graph version when it was filled
    key   marked:<viewer>  version: random, new with each change

**Never older than a change that has answered.** A reader fills under the version that stood
before it read the store, and the script refuses when it has changed, or is gone (Redis was
emptied). Whoever changes a mark reads the version, writes the store, and then sets a new
version and patches the cached value if the version was still the one read: nobody else had
changed any mark meanwhile, so the order of the patches is the order of the writes. Otherwise it
drops the value, and the next reader fills it.

For example, Bob likes 90 and bookmarks 95 at once. Both requests read version v1 and write the store. The first to
reach Redis finds v1, patches the value and sets v2; the other one finds v2 and drops the value. A reader who began to
read the store under v1 is refused as well.

**When Redis does not take the change**, an order raises the viewer's graph version once Redis
is back; a value of another graph version is not used. Writing that order for each like would cost
more than the like. A process that dies between store and Redis has not answered: whoever
repeats the request patches or drops the value, also when there is nothing left to write.
"""

import secrets
import struct
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from accounts.graph.follows import GRAPH_ORDER, graph_version_key
from storage import stores
from storage.errors import Unavailable
from storage.ids.snowflakes import WORKER_BITS
from storage.ports.outbox import Order
from storage.redis.node import Script, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import key_of_person
from tweets.kinds import BOOKMARK, LIKE, RETWEET

KINDS = (LIKE, RETWEET, BOOKMARK)
MARKS_KEPT = 500
"""Of each kind: 4 KB, and weeks of most people's marks; a page of the last weeks needs no store."""
TTL_SECONDS = 3600
"""An active reader's marks are read from the store once an hour at most, if Redis stays up."""
VERSION_SECONDS = 60
"""Longer than a fill or a change takes (store timeout 5 s, several reads)."""
CLOCK_SKEW = 10_000_000 << WORKER_BITS
"""Ten seconds, as a difference of ids."""

_fill = Script(Path(__file__).parent / "lua" / "fill_marks.lua")
_change = Script(Path(__file__).parent / "lua" / "change_mark.lua")
_FIELDS = ("graph", *KINDS)


class ViewerMarks(msgspec.Struct, frozen=True):
    """The newest marks of one kind; of a tweet above `floor` they say whether it is marked."""

    floor: int
    tweets: frozenset[int]

    def among(self, tweet_ids: Collection[int]) -> tuple[set[int], list[int]]:
        """Returns those of the tweets that are marked, and those of which only the store knows."""
        marked = set(self.tweets.intersection(tweet_ids))
        below = [each for each in tweet_ids if each <= self.floor and each not in marked] if self.floor else []
        return marked, below


KnownMarks = Mapping[str, ViewerMarks]
"""By kind."""


class ViewerFlags(msgspec.Struct, frozen=True):
    liked: bool = False
    retweeted: bool = False
    bookmarked: bool = False


UNMARKED = ViewerFlags()
OF_A_FILL = b"F"
"""What a version begins with, and is longer by, that a reader has set where there was none."""
UNCHANGED_BYTES = len(OF_A_FILL) + 8
UNKNOWN_VERSION = b"unknown"
"""No version is like it: what is cached is dropped."""


def read(viewer_id: int) -> Read[KnownMarks | None]:
    """Returns the cached marks; None when there are none, or they are outdated. Two commands."""
    commands = (("HMGET", _marks_key(viewer_id), *_FIELDS), ("GET", graph_version_key(viewer_id)))
    return Read(commands, _known)


def _known(fields: Sequence[bytes | None], graph_now: bytes | None) -> KnownMarks | None:
    graph, *values = fields
    if graph is None or graph != (graph_now or b""):
        return None
    known = {kind: _decode(value) for kind, value in zip(KINDS, values, strict=True) if value is not None}
    return known if len(known) == len(KINDS) else None


def flags(viewer_id: int, tweet_ids: Collection[int], cached: KnownMarks | None) -> dict[int, ViewerFlags]:
    """Returns what the viewer has marked of these tweets.

    Costs nothing when `cached` proves all of it. Without it the marks are read (three listings) and
    kept, at two Redis round trips. Tweets below a floor cost one store read for each kind.
    """
    marks = cached if cached is not None else _read_and_keep(viewer_id)
    marked = {kind: _marked(viewer_id, kind, tweet_ids, marks.get(kind)) for kind in KINDS}
    if not any(marked.values()):
        return dict.fromkeys(tweet_ids, UNMARKED)
    return {
        each: ViewerFlags(each in marked[LIKE], each in marked[RETWEET], each in marked[BOOKMARK]) for each in tweet_ids
    }


def tell(cached: KnownMarks, tweet_ids: Collection[int]) -> bool:
    """Returns whether the cached marks say of all these tweets what is marked, so that `flags` asks nobody."""
    return all(not each.among(tweet_ids)[1] for each in cached.values())


def is_of_a_change(version: bytes | None) -> bool:
    """Returns whether the viewer has changed a mark within VERSION_SECONDS, by what stands at their `version_key`."""
    return version is not None and len(version) != UNCHANGED_BYTES


def version(viewer_id: int) -> bytes | None:
    """Returns the version of the viewer's marks, to be read before a change and given to `changed`.

    One round trip. None when Redis does not answer.
    """
    try:
        [found] = timeline_node().round_trip(("GET", version_key(viewer_id)))
    except Unavailable:
        return None
    return found or b""


def changed(viewer_id: int, kind: str, tweet_id: int, *, made: bool, marks_version: bytes | None) -> Command:
    """Returns the command to send after the store was written and before it is answered; see `untold`."""
    return _change.call(
        (_marks_key(viewer_id), version_key(viewer_id)),
        marks_version if marks_version is not None else UNKNOWN_VERSION,
        secrets.token_bytes(8),
        VERSION_SECONDS,
        kind,
        _pack(tweet_id),
        int(made),
        16 * MARKS_KEPT,
    )


def untold(viewer_id: int) -> None:
    """Orders that Redis be told later; call it when Redis did not take the command of `changed`.

    One store write. Raises `Unavailable`.
    """
    stores.outbox().add(Order(id=stores.ids.next(), kind=GRAPH_ORDER, args=(viewer_id,)))


def _marked(viewer_id: int, kind: str, tweet_ids: Collection[int], marks: ViewerMarks | None) -> set[int]:
    said, unknown = marks.among(tweet_ids) if marks is not None else (set(), list(tweet_ids))
    asked = stores.associations().find(viewer_id, kind, unknown) if unknown else {}
    return said | asked.keys()


def _read_and_keep(viewer_id: int) -> KnownMarks:
    """Reads the newest marks and keeps them.

    Nothing when Redis does not answer: then only the page's own tweets are looked up.
    """
    token = OF_A_FILL + secrets.token_bytes(8)
    try:
        _, version_now, graph_now = timeline_node().round_trip(
            ("SET", version_key(viewer_id), token, "NX", "EX", VERSION_SECONDS),
            ("GET", version_key(viewer_id)),
            ("GET", graph_version_key(viewer_id)),
        )
        values = {kind: _encode(_newest(viewer_id, kind)) for kind in KINDS}
        fields = [each for pair in ({"graph": graph_now or b""} | values).items() for each in pair]
        keys = (_marks_key(viewer_id), version_key(viewer_id))
        timeline_node().round_trip(_fill.call(keys, version_now or b"", TTL_SECONDS, *fields))
    except Unavailable as error:
        if error.backend != timeline_node().name:
            raise
        return {}
    return {kind: _decode(value) for kind, value in values.items()}


def _newest(viewer_id: int, kind: str) -> tuple[int, list[int]]:
    """The floor, and the tweets of the newest marks."""
    edges = stores.associations().newest_targets(viewer_id, kind, limit=MARKS_KEPT)
    floor = edges[-1].op + CLOCK_SKEW if len(edges) == MARKS_KEPT else 0
    return floor, [edge.target for edge in edges]


def _encode(newest: tuple[int, list[int]]) -> bytes:
    floor, tweets = newest
    return struct.pack(f">{len(tweets) + 1}Q", floor, *tweets)


def _decode(value: bytes) -> ViewerMarks:
    floor, *tweets = struct.unpack(f">{len(value) // 8}Q", value)
    return ViewerMarks(floor, frozenset(tweets))


def _pack(number: int) -> bytes:
    return number.to_bytes(8, "big")


_marks_key = key_of_person("marks")
version_key = key_of_person("marked")
"""Where the version of a person's marks stands for VERSION_SECONDS after a change, or a fill."""
