"""How many live sockets a person has over all processes.

Each live process says of each reader how many sockets it has, and again before that has ended: what a process that
died has said ends by itself. Both happen in one script, so of two processes that say so at the same moment the second
sees the first. Beside presence, which asks for readers a shard, this is asked for one reader.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path

from storage.redis.node import Script, timeline_node
from storage.redis.reads import Read
from storage.redis.shards import user_tag

KEPT_SECONDS = 90
"""How long what a process has said counts: a process that was killed holds its readers' places for so long."""

_count = Script(Path(__file__).parent / "lua" / "count_sockets.lua")


class SocketCounts:
    """What one process says. Thread-safe."""

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex[:16]

    def tell(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Says how many sockets the process has of each of the readers; returns how many the others have of them.

        One round trip. Raises `Unavailable`.
        """
        others = timeline_node().ask_all([self._telling(reader, count) for reader, count in counts.items()])
        return dict(zip(counts, others, strict=True))

    def _telling(self, reader_id: int, count: int) -> Read[int]:
        return Read((_count.call([sockets_key(reader_id)], self._process, count, KEPT_SECONDS),), int)


def sockets_key(reader_id: int) -> str:
    """The key of the hash of a reader's sockets, by process."""
    return f"{user_tag(reader_id)}:sockets:{reader_id}"
