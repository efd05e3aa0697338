"""How many sockets this process has: in all, of each address and reader, and how many have offered no token yet.

Counted in memory, so each bound holds in one process by itself; how many sockets a reader has over all processes
shared_places.py knows. It belongs to the event loop. Costs a dictionary entry for each address and reader.
"""

import resource
from collections.abc import Hashable, Iterable
from enum import Enum, auto
from typing import Generic, TypeVar

from django.conf import settings

SOCKETS_A_READER = 20
"""In this process, and over all; somebody with more open tabs than that is a program gone wrong."""
OTHER_FILES = 256
"""File descriptors that are left to backends and files."""
MOST_REQUESTS = 2_000
"""Connections of requests that the server of the same process takes, or half of all descriptors if that is less
(config/serving/connections.py)."""

K = TypeVar("K", bound=Hashable)


class Full(Enum):
    PROCESS = auto()
    """The process has as many sockets as it takes, or as may wait for a token."""
    ADDRESS = auto()
    """So has the client's address."""


class Places:
    """The sockets of a process. The bounds by address hold with RATE_LIMITS on, the others always."""

    def __init__(self) -> None:
        self._all: _Counts[str] = _Counts()
        self._unsigned: _Counts[str] = _Counts()
        self._readers: _Counts[int] = _Counts()

    def full(self, address: str) -> Full | None:
        """Returns why no other socket of the address has a place; None if it has."""
        if self._all.total >= most_sockets() or self._unsigned.total >= settings.MAX_UNSIGNED_SOCKETS:
            return Full.PROCESS
        if settings.RATE_LIMITS and (
            self._all.of(address) >= settings.MAX_SOCKETS_BY_ADDRESS
            or self._unsigned.of(address) >= settings.MAX_UNSIGNED_BY_ADDRESS
        ):
            return Full.ADDRESS
        return None

    def come(self, address: str) -> None:
        """Counts a socket that has offered no token."""
        self._all.add(address)
        self._unsigned.add(address)

    def token_came(self, address: str) -> None:
        """Counts it no longer among those: whether it is good is known in a moment."""
        self._unsigned.remove(address)

    def sign_in(self, reader_id: int) -> bool:
        """Counts one of a token that was good as the reader's; returns False if the reader has too many now."""
        self._readers.add(reader_id)
        return self._readers.of(reader_id) <= SOCKETS_A_READER

    @property
    def total(self) -> int:
        """How many sockets the process has."""
        return self._all.total

    def sockets_of(self, reader_id: int) -> int:
        """Returns how many sockets the reader has here."""
        return self._readers.of(reader_id)

    def readers(self) -> Iterable[int]:
        """Returns who has any."""
        return self._readers.keys()

    def leave(self, address: str, reader_id: int | None, *, had_token: bool) -> None:
        """Forgets a socket: of that reader, if it had signed in."""
        self._all.remove(address)
        if not had_token:
            self._unsigned.remove(address)
        if reader_id is not None:
            self._readers.remove(reader_id)


class _Counts(Generic[K]):
    """How many there are of each, and in all; none is kept of what there is none of."""

    def __init__(self) -> None:
        self.total = 0
        self._counts: dict[K, int] = {}

    def of(self, key: K) -> int:
        return self._counts.get(key, 0)

    def keys(self) -> Iterable[K]:
        return self._counts.keys()

    def add(self, key: K) -> None:
        self.total += 1
        self._counts[key] = self.of(key) + 1

    def remove(self, key: K) -> None:
        self.total -= 1
        left = self.of(key) - 1
        if left:
            self._counts[key] = left
        else:
            del self._counts[key]


def most_sockets() -> int:
    """Returns how many sockets the process takes: MAX_SOCKETS, or what its file descriptors allow."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return settings.MAX_SOCKETS
    return min(settings.MAX_SOCKETS, max(files - OTHER_FILES - min(MOST_REQUESTS, files // 2), files // 4))


places = Places()
