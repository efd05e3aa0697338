"""What a connection to the timelines says before anything else: it asks for the generation (generations.py), of the
whole server or of a cluster's slot."""

import secrets
from collections.abc import Collection
from pathlib import Path

from django.conf import settings
from redis.asyncio.connection import AbstractConnection

from storage.redis.preludes import joined
from storage.redis.reads import Command
from storage.redis.shards import generation_key, generation_keys, shards_of_slot

NONCE_BYTES = 8
_LUA = Path(__file__).parent / "lua"
_BEGIN, _BEGIN_SLOT = (
    joined((_LUA / "generation.lua").read_text(), (_LUA / name).read_text()) for name in ("begin.lua", "begin_slot.lua")
)


def begin_command() -> Command:
    """Makes a generation unless one stands, and answers it. With its source: a new connection must not miss it."""
    keys = generation_keys()
    return ("EVAL", _BEGIN, len(keys), *keys, secrets.token_bytes(NONCE_BYTES))


def begin_slot_command(slot: int) -> Command:
    """Does the same of the shards in one slot of a cluster."""
    keys = [generation_key(shard) for shard in shards_of_slot(slot)]
    return ("EVAL", _BEGIN_SLOT, len(keys), *keys, secrets.token_bytes(NONCE_BYTES), slot)


async def greet_async(connection: AbstractConnection) -> None:
    """Makes the timelines' handshake on an asyncio connection: `redis_connect_func` of a subscriber's client.

    On a replica, messages would lag behind what the store says was published.
    """
    await connection.on_connect()
    await connection.send_command(*begin_command())
    await connection.read_response(timeout=settings.REDIS_TIMEOUT_SECONDS)


async def greet_slots_async(slots: Collection[int], connection: AbstractConnection) -> None:
    """Does the same at a cluster's node, of some slots; raises `MovedError` when it has one of them no longer."""
    await connection.on_connect()
    for slot in slots:
        await connection.send_command(*begin_slot_command(slot))
        await connection.read_response(timeout=settings.REDIS_TIMEOUT_SECONDS)
