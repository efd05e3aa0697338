"""Questions to Redis, as values: what to send, and what the answer means.

A read travels with others in one round trip, whoever made them:

    tweets, exclusions = node.ask(TWEETS.read(ids), exclusions.read(viewer_id))

so nobody tells answers apart by their places. A read says which keys it names, and so in which
slots of a cluster they stand.
"""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from storage.spans import Attributes

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
M = TypeVar("M")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Command = tuple[str | bytes | int, ...]
"""One Redis command with its arguments, e.g. ("SET", key, value, "EX", 10)."""


KEYLESS = ("PING", "TIME", "PUBLISH", "SCAN", "DBSIZE", "RANDOMKEY", "KEYS", "FLUSHDB", "FLUSHALL", "SCRIPT LOAD")


class Read(msgspec.Struct, Generic[T_co], frozen=True):
    """One or more commands, and what their answers mean: `decode` is given one argument for each command."""

    commands: tuple[Command, ...]
    decode: Callable[..., T_co]
    spares: bool | tuple[bool, ...] = False
    """Whether, for all commands or for each, it takes what a node of a cluster holds that does not answer for what is
    not there, so that the other reads of the round trip are answered. Its `decode` is given None for each value that
    is not known."""

    @property
    def spared(self) -> tuple[bool, ...]:
        """Returns `spares`, of each command."""
        return self.spares if isinstance(self.spares, tuple) else (self.spares,) * len(self.commands)

    def map(self, make: Callable[[T_co], M]) -> "Read[M]":
        """The same question, whose answer is made into something else."""
        return Read(self.commands, lambda *answers: make(self.decode(*answers)), self.spares)

    @property
    def keys(self) -> list[str | bytes | int]:
        """Returns every key that the commands name."""
        return [key for command in self.commands for key in keys_of(command)]


def together(one: Read[A], two: Read[B]) -> Read[tuple[A, B]]:
    """Returns both as one read, for who may send one along."""
    first = len(one.commands)

    def decode(*answers: Any) -> tuple[A, B]:
        return one.decode(*answers[:first]), two.decode(*answers[first:])

    return Read((*one.commands, *two.commands), decode, (*one.spared, *two.spared))


NOTHING: Read[None] = Read((), lambda: None)
"""Asks nothing and costs nothing: for what a caller need not know this time."""


def described(_node: object, *commands: Command) -> Attributes:
    """Returns what a span tells of a round trip: the commands by their words, and how many."""
    words = " ".join(sorted({str(command[0]) for command in commands}))
    return {"db.system.name": "redis", "db.operation.name": words, "feed.commands": len(commands)}


def keys_of(command: Command) -> Iterable[str | bytes | int]:
    """Returns the keys among a command's arguments, as the server would find them."""
    name = command[0]
    if name in ("EVAL", "EVALSHA"):
        return command[3 : 3 + int(command[2])]
    if name in ("MGET", "DEL", "EXISTS"):
        return command[1:]
    return () if name in KEYLESS else command[1:2]
