"""How many passwords a process hashes at a time, and how many requests wait for their turn.

A hash is made to cost: 19 MiB and some 15 ms of a core. A process that hashed as many as are asked for would do nothing
else in a flood of sign-ins, and its memory would grow with the flood. So one is hashed at a time, a few wait, and
whoever comes on top is told at once to come again (`Crowded`, 503 with Retry-After): the other threads of the
server stay free for everything else. The hashers themselves take the turn (people/passwords.py), so that no door,
form or command can go around it. It is no quota, and RATE_LIMITS=off does not switch it off.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from storage.errors import Crowded
from storage.process import start_anew_after_fork

AT_ONCE = 1
"""argon2 leaves Python's lock free and fills a core; a second one at a time would take the core of who reads."""
WAITING = 2
"""With one that hashes, three of the four threads that a production web process has for writes (config/web.py)."""
WAIT_SECONDS = 5.0
"""A turn comes within some 15 ms for each who stands before; the bound is for a machine that does other things."""


class HashingTurns:
    """The turns of this process. Thread-safe; all free in a forked child."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Frees every turn."""
        self._mine = threading.local()
        self._hashing = threading.BoundedSemaphore(self._at_once)
        self._present = threading.BoundedSemaphore(self._at_once + self._waiting)

    def let_wait(self, waiting: int) -> None:
        """Lets so many wait; for a server that starts, whose threads are known."""
        self._waiting = waiting
        self.start_anew()

    def refuse_crowd(self) -> None:
        """Raises `Crowded` when enough wait at this moment: before a request has cost anything else. Costs nothing."""
        if not self._present.acquire(blocking=False):
            raise Crowded("signing in or up")
        self._present.release()

    @contextmanager
    def turn(self) -> Generator[None]:
        """Stands around a hash, or around all that one check of a password takes: who has a turn has it inside, too.

        Raises `Crowded`: at once when enough wait, after WAIT_SECONDS in the queue.
        """
        if getattr(self._mine, "has_turn", False):
            yield
            return
        with self._taken():
            self._mine.has_turn = True
            try:
                yield
            finally:
                self._mine.has_turn = False

    @contextmanager
    def _taken(self) -> Generator[None]:
        present, hashing = self._present, self._hashing
        if not present.acquire(blocking=False):
            raise Crowded("signing in or up")
        try:
            if not hashing.acquire(timeout=WAIT_SECONDS):
                raise Crowded("signing in or up")
            try:
                yield
            finally:
                hashing.release()
        finally:
            present.release()


TURNS = HashingTurns(at_once=AT_ONCE, waiting=WAITING)
