"""What has changed of people and their tokens: noted in SQL with the change itself, and told to Redis.

**A change is told, whatever fails.** Who changes an account or ends tokens notes that in the same transaction
(`note_change`), and once it is committed tells Redis: guards where readers would find the old value, and the person in
the log of changes. If Redis does not answer, or the process dies in between, the note is there; within a second or two
somebody reads it and tells Redis again (vouching.py), and until then nobody can say for long that Redis knows all.

Each Redis remembers for a while which notes it was told (`{tN}:told`), for each shard, so that nobody tells it of the
same note again: that would be harmless, and have open sockets look at their tokens once more. A Redis that comes up in
another's place remembers nothing, and is told what it may lack.

Notes stay for longer than anything that was cached before them (`forget_notes`).
"""

from collections.abc import Collection, Sequence
from contextlib import suppress

import msgspec
from django.db import transaction

from accounts.account_cache.accounts import ACCOUNTS, forget
from accounts.account_cache.change_log import change_commands
from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.session_rows import AccountChange
from accounts.sql import sql_or_unavailable
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.redis.lasting_cache import KEPT_SECONDS
from storage.redis.node import RedisNode, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import shard_tag, timeline_shard

OVERLAP_SECONDS = 60
"""A note may be seen so long after its time: its transaction goes on, and clocks disagree by seconds."""
NOTES_SECONDS = 2 * KEPT_SECONDS
"""Longer than an entry lives, with what may be seen late."""


class Note(msgspec.Struct, frozen=True):
    """That an account has changed, or, if there are digests, that these tokens of the person have ended."""

    id: int
    user_id: int
    digests: tuple[str, ...]
    at_us: int


def note_change(user_id: int, *, ended: Collection[str] = ()) -> None:
    """Notes that an account changes, or that the tokens with the digests `ended` do, and tells Redis after the commit.

    To be called in the transaction of the change. One SQL statement, and a round trip. Raises nothing if Redis does
    not answer: it is told later.
    """
    row = AccountChange.objects.create(user_id=user_id, digests=" ".join(ended), at_us=now_us())
    note = Note(row.pk, user_id, tuple(ended), row.at_us)
    transaction.on_commit(lambda: _told_now(note))


def _told_now(note: Note) -> None:
    with suppress(Unavailable):
        tell([note])


def tell(notes: Sequence[Note]) -> frozenset[int]:
    """Tells Redis, and this process's memory. One round trip, none for nothing. Raises `Unavailable`.

    Three of a cluster, where guards and the log's copies stand at different nodes: the log comes behind the guards. It
    raises nothing, and returns the shards of which it did not hear that they have guards. A note is remembered as told
    when all copies have it, too: until then it is told again, whatever else is known of the shard.
    """
    for note in notes:
        if not note.digests:
            forget(note.user_id)
    node = timeline_node()
    if node.is_cluster:
        return _tell_cluster(node, notes)
    guards = [command for note in notes for command in _guards(note)]
    log = change_commands([note.user_id for note in notes]) if notes else []
    node.round_trip(*guards, *log, *[command for note in notes for command in _commands_when_told(note)])
    return frozenset()


def _tell_cluster(node: RedisNode, notes: Sequence[Note]) -> frozenset[int]:
    shards = [timeline_shard(note.user_id) for note in notes]
    try:
        guarded = node.ask_all([_heard(_guards(note)) for note in notes])
    except Unavailable:
        guarded = [False for _ in notes]
    with suppress(Unavailable):  # not all of the log was heard: told again
        node.round_trip(*(change_commands([note.user_id for note in notes]) if notes else []))
        told = [note for note, is_guarded in zip(notes, guarded, strict=True) if is_guarded]
        node.round_trip(*[command for note in told for command in _commands_when_told(note)])
    return frozenset(shard for shard, is_guarded in zip(shards, guarded, strict=True) if not is_guarded)


def _heard(commands: Sequence[Command]) -> Read[bool]:
    """Sends commands, none of which answers nil; says whether all were heard."""
    return Read(tuple(commands), lambda *answers: None not in answers, spares=True)


def told_key(shard: int) -> str:
    """Returns the key of the notes that were told of a shard's people."""
    return f"{shard_tag(shard)}:told"


def _guards(note: Note) -> list[Command]:
    claims = [Claim(user_id=note.user_id, digest=digest) for digest in note.digests]
    return TOKENS.invalidate(claims) if claims else ACCOUNTS.invalidate([note.user_id])


def _commands_when_told(note: Note) -> list[Command]:
    """To be sent behind the others: that it was told is only true then."""
    told = told_key(timeline_shard(note.user_id))
    remembered_us = 2 * OVERLAP_SECONDS * 1_000_000
    return [
        ("ZADD", told, note.at_us, note.id),
        ("ZREMRANGEBYSCORE", told, "-inf", now_us() - remembered_us),
        ("EXPIRE", told, remembered_us // 1_000_000),
    ]


@sql_or_unavailable()
def forget_notes() -> int:
    """Deletes the notes that nothing can be older than; returns how many. One SQL statement. Raises `Unavailable`."""
    old = AccountChange.objects.filter(at_us__lt=now_us() - NOTES_SECONDS * 1_000_000)
    return old.delete()[0]
