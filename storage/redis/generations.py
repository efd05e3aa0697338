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
forgotten between that reading and the write. It is never read anew in between.

For example: generation G1; a reader reads G1 and then tweet 7 from the store; 7 is deleted, and its deletion leaves
a guard; the server is emptied, the guard with it, and G2 begins; the reader's fill says G1, and is refused. Had
it read the generation again before it filled, 7 would be back for two days.

**Who writes the store first** and caches after, goes by what the process has seen last
(`RedisNode.seen`). However old that is: if it still stands at the write, it stood all the time.

**A flush** (FLUSHALL by an operator) leaves connections as they are. Whoever finds the key
missing begins a new generation (`RedisNode.generation_of`), and until then nothing is kept.

**A cluster** has a generation for each slot, and so for each shard, beside what it guards: another server there, or a
slot that has moved, begins another one and empties that slot (lua/begin_slot.lua). What is read and filled carries
the generations of the shards that it concerns.

What does not help: two servers that both take themselves for the primary. A process that goes
back to the one it left finds its old generation there.
"""

from storage.redis.node import RedisNode
from storage.redis.shards import Generations


def begin(node: RedisNode) -> Generations:
    """Returns each shard's generation; a new one, on an emptied node, unless each has this server's own.

    Idempotent and atomic: of several who call it at once, one makes it. One round trip. Raises `Unavailable`.
    """
    return node.begin()
