"""Forking: what a process shares with nobody, and makes anew when it is a forked child.

Servers and Celery fork their workers from one process. A child has a copy of all that is in memory: of
locks that a thread may hold which is not there, of sockets and leases that are still its parent's, of
work that the parent will do itself. Whatever has such state says here how it starts anew, as it is
made, and the child does so before it runs anything else. So no path of a request looks whether it
is in a child. (Caches in memory are not among these: their locks are held for microseconds, and no server
forks while it serves.)

Worked example: a thread of the parent makes an id, and holds the generator's lock, while another forks.
Nobody in the child would ever release the copy of that lock. `IdGenerator.start_anew` gives the child a
new one, and with it no lease: so the child's ids carry a worker number of its own.
"""

import os
import weakref
from typing import Protocol


class PerProcess(Protocol):
    """Something whose state belongs to one process."""

    def start_anew(self) -> None:
        """Drops what is the parent's. Takes no lock of before the fork, does no I/O, does not raise."""


_registered: "weakref.WeakSet[PerProcess]" = weakref.WeakSet()


def start_anew_after_fork(thing: PerProcess) -> None:
    """Has each child that this process forks call `thing.start_anew()` first of all, for as long as `thing` lives.

    To be called when `thing` is complete. In a child the calls come in no order: none may need another.
    """
    _registered.add(thing)


def _start_anew() -> None:
    for thing in list(_registered):
        thing.start_anew()


os.register_at_fork(after_in_child=_start_anew)
