"""Commands by the slots of a cluster: which slot each is for, and those of several slots in pieces.

A server of a cluster takes no command whose keys are of several slots, though it has them all. Scripts name keys of
one slot only (shards.py), and so does every command but `MGET` and the like: a page's bodies stand in many shards, and
one Redis reads them with one command. Here such a command falls into pieces, one a slot, and their answers are put
together again; nobody else has to know of slots.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from redis.crc import key_slot
from redis.exceptions import RedisError

from storage.redis.reads import Command, keys_of

TAGS_KEPT = 4_096

SUMMED = ("DEL", "UNLINK", "EXISTS")
"""Commands whose pieces answer a number each."""
TO_ALL = ("PING", "SCRIPT LOAD", "SCRIPT FLUSH", "FLUSHDB", "FLUSHALL")
"""Commands for every node."""


UNSAID = b""
"""Stands for a shard's generation where its node did not answer: it is not known whether there is one."""
GENERATION = ":generation"
"""What the keys of generations end in (shards.py)."""


class Incomplete(RedisError):
    """Some of the nodes that an `MGET` needs did not answer; `known` is what the others said, and for the rest what
    stands for an answer that there is not."""

    def __init__(self, known: list[object], cause: RedisError) -> None:
        super().__init__(str(cause))
        self.known = known
        self.cause = cause


class Piece(msgspec.Struct, frozen=True):
    """A command, or as much of it as is for one slot; None: it goes to every node."""

    place: int
    """Of the command among all that are sent together."""
    slot: int | None
    command: Command
    keys_at: tuple[int, ...] = ()
    """Which of the command's keys these are, if it is in pieces."""


def slot_of(key: str | bytes | int) -> int:
    """Returns the slot of a key. Only the hash tag counts, if it has one."""
    raw = key if isinstance(key, bytes) else str(key).encode()
    opens = raw.find(b"{")
    closes = raw.find(b"}", opens + 1) if opens >= 0 else -1
    return _slot_of_tag(raw[opens + 1 : closes] if closes > opens + 1 else raw)


@lru_cache(TAGS_KEPT)
def _slot_of_tag(tag: bytes) -> int:
    return int(key_slot(tag))


def pieces_of(commands: Sequence[Command]) -> list[Piece]:
    """Returns the commands by slot, in their order.

    `TIME` goes where the command before it goes. A message is published to those who listen at the channel's own
    node. Raises `ValueError` for what is of one node, as a scan is: ask that node (`RedisNode.parts`).
    """
    pieces: list[Piece] = []
    for place, command in enumerate(commands):
        name = command[0]
        if name in TO_ALL:
            pieces.append(Piece(place, None, command))
        elif name == "TIME" and pieces:
            pieces.append(Piece(place, pieces[-1].slot, command))
        elif name == "PUBLISH":
            pieces.append(Piece(place, slot_of(command[1]), ("SPUBLISH", *command[1:])))
        else:
            pieces += _by_slot(place, command)
    return pieces


def _by_slot(place: int, command: Command) -> list[Piece]:
    slots: dict[int, list[int]] = {}
    keys = list(keys_of(command))
    for at, key in enumerate(keys):
        slots.setdefault(slot_of(key), []).append(at)
    if len(slots) == 1:
        return [Piece(place, next(iter(slots)), command)]
    if not slots or command[0] not in ("MGET", *SUMMED):
        raise ValueError(f"{command[0]!r} is for one node, and names keys of {len(slots)} slots")
    return [Piece(place, slot, (command[0], *(keys[at] for at in ats)), tuple(ats)) for slot, ats in slots.items()]


def together(commands: Sequence[Command], pieces: Sequence[Piece], answers: Sequence[object]) -> list[object]:
    """Returns the answers to the commands, from those to their pieces."""
    found: list[list[tuple[Piece, object]]] = [[] for _ in commands]
    for piece, answer in zip(pieces, answers, strict=True):
        found[piece.place].append((piece, answer))
    return [_joined(command, said) for command, said in zip(commands, found, strict=True)]


def without_missing(command: Command, answer: object) -> object:
    """Returns what is known of the answer, None for each value that is not; of generations UNSAID."""
    if isinstance(answer, Incomplete):
        return answer.known
    if isinstance(answer, RedisError):
        return _unsaid(command) if command[0] == "MGET" else None
    return answer


def _unsaid(mget: Command) -> list[object]:
    return [UNSAID if str(key).endswith(GENERATION) else None for key in mget[1:]]


def _joined(command: Command, said: Sequence[tuple[Piece, object]]) -> object:
    if len(said) == 1 and not said[0][0].keys_at:
        return said[0][1]
    errors = [answer for _, answer in said if isinstance(answer, RedisError)]
    if command[0] != "MGET":
        return errors[0] if errors else sum(int(str(answer)) for _, answer in said)
    values: list[object] = _unsaid(command) if errors else [None] * (len(command) - 1)
    for piece, answer in said:
        if isinstance(answer, list):
            for at, value in zip(piece.keys_at, answer, strict=True):
                values[at] = value
    if len(errors) == len(said):
        return errors[0]
    return Incomplete(values, errors[0]) if errors else values
