"""Publishing to live processes: ids only, one channel a shard, every live process listens.

A message that is lost loses nothing: sockets resume from a watermark (`Watermark`)
and live processes re-read the timeline after any interruption.
"""

import contextlib
import threading
import time
from enum import StrEnum

import msgspec

from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.redis.reads import Command
from storage.redis.shards import shard_tag
from storage.stores import outbox


class LiveKind(StrEnum):
    TWEET = "tweet"
    DELETE = "delete"


class LiveMessage(msgspec.Struct, frozen=True):
    """An entry has arrived in, or left, the home timelines of `readers`."""

    kind: LiveKind
    entry_id: int
    readers: list[int]


SETTLE_SECONDS = 21
"""An id older than this, without an open order, is visible: the store's timeouts (Cassandra's of
connecting, preparing and writing, 5 s each, and 1 s before a second try; SQLite's of waiting for the
lock, 15 s) and 5 s of clock skew."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LiveMessage)
WATERMARK_SECONDS = 1.0
"""How long a process goes by the watermark it has read."""


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


class Watermark:
    """The id below which everything is visible, read from the outbox at most once a second.

    Order of ids is order of birth, not of visibility. So it is no newer than now minus
    SETTLE_SECONDS, and no newer than the oldest order still open. While the store does not
    answer, the last one stands: too old is safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """As if the process had just started."""
        self._value = 0
        self._read_at = -WATERMARK_SECONDS

    def read(self) -> int:
        """Costs a store read a second and process."""
        with self._lock:
            if time.monotonic() - self._read_at >= WATERMARK_SECONDS:
                with contextlib.suppress(Unavailable):
                    self._value = _fresh_watermark()
                self._read_at = time.monotonic()
            return self._value


def _fresh_watermark() -> int:
    settled = make_id(now_us() - SETTLE_SECONDS * 1_000_000, 0)
    oldest = outbox().oldest_open()
    return settled if oldest is None else min(settled, oldest - 1)


watermark = Watermark()
