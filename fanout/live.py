"""Publishing to live processes: ids only, one channel a shard, every live process listens.

A message that is lost loses nothing: sockets resume from a watermark (`resume_watermark`)
and live processes re-read the timeline after any interruption.
"""

import time
from enum import StrEnum

import cachetools
import msgspec

from storage.errors import Unavailable
from storage.ids import make_id, now_us
from storage.redis import Command, shard_tag
from storage.stores import outbox


class LiveKind(StrEnum):
    TWEET = "tweet"
    DELETE = "delete"


class LiveMessage(msgspec.Struct, frozen=True):
    """An entry has arrived in, or left, the home timelines of `readers`."""

    kind: LiveKind
    entry_id: int
    readers: list[int]


SETTLE_SECONDS = 10
"""Write timeout (5 s) + clock skew + delivery: an id older than this, without an open order, is visible."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LiveMessage)
_watermark: cachetools.TTLCache[str, int] = cachetools.TTLCache(maxsize=1, ttl=1, timer=time.monotonic)


def channel(shard: int) -> str:
    return f"{shard_tag(shard)}:live"


def publish_commands(kind: LiveKind, entry_id: int, present: dict[int, list[int]]) -> list[Command]:
    """One PUBLISH for each shard that has present readers."""
    return [
        ("PUBLISH", channel(shard), _encoder.encode(LiveMessage(kind, entry_id, readers)))
        for shard, readers in present.items()
    ]


def decode(payload: bytes) -> LiveMessage:
    return _decoder.decode(payload)


def resume_watermark() -> int:
    """An id below which everything is visible: safe to resume a socket from.

    Order of ids is order of birth, not of visibility. So it is no newer than now minus
    SETTLE_SECONDS, and no newer than the oldest order still open. At most one second old;
    costs a store read a second and process. While the store does not answer, the last one stands.
    """
    known = _watermark.get("now")
    if known is None:
        known = _watermark["now"] = _fresh_watermark()
    return known


def _fresh_watermark() -> int:
    global _last_known
    try:
        oldest = outbox().oldest_open()
    except Unavailable:
        return _last_known
    settled = make_id(now_us() - SETTLE_SECONDS * 1_000_000, 0)
    _last_known = settled if oldest is None else min(settled, oldest - 1)
    return _last_known


_last_known = 0
