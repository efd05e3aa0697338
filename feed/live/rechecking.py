"""Tokens of open sockets, looked at anew every RECHECK_SECONDS: for what no change announces, their expiry.

One round trip for TOGETHER of them, and an SQL query for those that Redis is not sure of; only of a token that is not
found good its socket asks for itself, and ends. What a change announces each socket asks for at once (socket.py).
"""

import asyncio
from typing import Protocol

from accounts.sessions.many_tokens import good_among
from feed.live.threads import housekeeping

RECHECK_SECONDS = 30.0
TOGETHER = 500
"""Below what any database takes as parameters. One by one they cost a round trip each, every time."""


class Checked(Protocol):
    """A socket, as far as it is known here."""

    @property
    def token(self) -> str:
        """Returns the token that it was opened with."""

    def look_at_token(self) -> None:
        """Has the token looked at, and the socket ended if it is not good."""


class Rechecking:
    """It belongs to the event loop. Bounded by the sockets that there may be (places.py)."""

    def __init__(self) -> None:
        self._sockets: set[Checked] = set()

    def add(self, socket: Checked) -> None:
        """Has its token looked at until `remove`."""
        self._sockets.add(socket)

    def remove(self, socket: Checked) -> None:
        """Undoes `add`. Idempotent."""
        self._sockets.discard(socket)

    async def keep_checking(self) -> None:
        """One round, after a pause. Raises `Unavailable`: a backend that is down proves nothing."""
        await asyncio.sleep(RECHECK_SECONDS)
        sockets = list(self._sockets)
        for start in range(0, len(sockets), TOGETHER):
            some = sockets[start : start + TOGETHER]
            good = await housekeeping(good_among, [each.token for each in some])
            for socket in some:
                if socket.token not in good:
                    socket.look_at_token()


rechecking = Rechecking()
