"""Generations of the timeline Redis: what was kept under another server, or before a flush, never counts.

Each shard has a key that holds the *generation*: which run of which server made it, and a
nonce. All shards hold the same. It is made when it is missing (the node is new, or somebody
emptied it) or names another run (the server was restarted, or is a replica that was promoted
and may be behind); making it empties the node in the same step. So all that stands beside a
generation was written under it, or by somebody who had not noticed the change yet.

Against those, whoever reads the store in order to write here notes the generation first, and the
script that writes refuses another one.
"""

import secrets
from pathlib import Path

from django.conf import settings

from storage.redis import RedisNode, Script, shard_tag

NONCE_BYTES = 8

_begin = Script(Path(__file__).parent / "lua" / "begin.lua")


def generation_key(shard: int) -> str:
    """Where the shard's generation stands, in the slot of everything that it guards."""
    return f"{shard_tag(shard)}:generation"


def begin(node: RedisNode) -> bytes:
    """The node's generation; a new one, on an emptied node, unless each shard has this server's own.

    Idempotent and atomic: of several who call it at once, one makes it. One round trip. Raises `Unavailable`.
    """
    keys = [generation_key(shard) for shard in range(settings.TIMELINE_SHARDS)]
    [generation] = node.round_trip(_begin.call(keys, secrets.token_bytes(NONCE_BYTES)))
    return bytes(generation)
