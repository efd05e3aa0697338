"""Generations of the timeline Redis: what was kept under another server, or before a flush, never counts.

Each shard has a key that holds the *generation*: which run of which server made it, and a
nonce. All shards hold the same. It is made when it is missing (the node is new, or somebody
emptied it) or names another run (the server was restarted, or is a replica that was promoted
and may be behind); making it empties the node in the same step. Every new connection asks for
that before anything else (`RedisNode`), and another server means another connection. So
whatever is read was written under the generation that stands, or since a flush that
nobody had noticed yet.

**Late writes.** Guards, marks and tombstones order a writer and a reader who meet; a flush
forgets them. So whoever reads the store in order to write here reads the generation first,
carries it along, and the script that writes refuses another one. Then nothing has been
forgotten between the two. The generation is never read anew in between.

**Who writes the store first** and caches after, carries what the process has seen last
(`RedisNode.seen`). However old that is: if it still stands at the write, it stood all the time.

**A flush** (FLUSHALL by an operator) leaves connections as they are. Whoever finds the key
missing begins a new generation (`noted`), and until then nothing is kept.

What does not help: two servers that both take themselves for the primary. A process that goes
back to the one it left finds its old generation there.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from storage.errors import Unavailable
from storage.redis.node import RedisNode
from storage.redis.reads import Command
from storage.redis.scripts import Script
from storage.redis.shards import generation_key

__all__ = ["begin", "fill_commands", "generation_key", "noted"]

_fill = Script(Path(__file__).parent / "lua" / "fill.lua")


def begin(node: RedisNode) -> bytes:
    """The node's generation; a new one, on an emptied node, unless each shard has this server's own.

    Idempotent and atomic: of several who call it at once, one makes it. One round trip. Raises `Unavailable`.
    """
    return node.begin()


def noted(node: RedisNode, found: Sequence[bytes | None]) -> bytes | None:
    """The generation, to be carried to a fill of what is read from the store from now on; None: fill nothing.

    `found` stood under one or more shards' `generation_key`. Costs nothing; a round trip when
    it was missing, which begins a new one.
    """
    generation = found[0]
    if generation is not None and all(each == generation for each in found):
        node.saw(generation)
        return generation
    try:
        return begin(node)
    except Unavailable:
        return None


def fill_commands(
    shards: Mapping[int, Iterable[tuple[str, bytes]]], *, generation: bytes, seconds: int, absent_only: bool
) -> list[Command]:
    """Commands, one a shard, that set its (key, value) pairs if the generation still stands."""
    commands = []
    for shard, pairs in shards.items():
        keys, values = zip(*pairs, strict=True)
        commands.append(_fill.call((generation_key(shard), *keys), generation, seconds, int(absent_only), *values))
    return commands
