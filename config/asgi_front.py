"""Everything on one port, for a laptop: HTTP goes to the WSGI application in threads, sockets to Channels.

Keeps 60 % of the split servers' speed; Django's own async path would keep under 30 %.
"""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.conf import settings

from accounts.sessions.hashing_turns import AT_ONCE, TURNS
from config import asgi, wsgi
from config.serving.asgi import Layer
from config.serving.connections import BoundedProtocol
from config.serving.routed import Routed

__all__ = ["BoundedProtocol", "application"]

THREADS = 24
"""Requests worked on at a time; more only queue up on two cores."""
HASHING = 17
"""Of these, that may wait for a password to be hashed, or do it: the others are there for everything else.
All of them with RATE_LIMITS=off, for tests and demos whose people come at once."""
FILES = 4
"""Threads of their own for files, which are handed out piece by piece: who takes them slowly holds one of these. Any
other answer is one piece, and holds none while it is taken."""

TURNS.let_wait((HASHING if settings.RATE_LIMITS else THREADS) - AT_ONCE)

answers, files = (cast(Any, WSGIMiddleware(cast(Any, wsgi.application), workers=each)) for each in (THREADS, FILES))


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Hands a request to the threads that it is for."""
    await (files if scope["path"].startswith(settings.STATIC_URL) else answers)(scope, receive, send)


application = Layer(cast(Any, Routed("type", {"http": http, "websocket": asgi.websocket})))
