"""Everything on one port, for a laptop: HTTP goes to the WSGI application in threads, sockets to Channels.

Keeps 60 % of the split servers' speed; Django's own async path would keep under 30 %.
"""

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter

from config import asgi, wsgi
from config.serving.asgi import Layer
from config.serving.connections import BoundedProtocol

__all__ = ["BoundedProtocol", "application"]

THREADS = 16
"""Requests worked on at a time; more only queue up on two cores."""
ANY_NUMBER = 0
"""Of an answer's pieces may wait, so that no thread waits for a slow reader. They are a file's, 1.5 MB at most."""

http = WSGIMiddleware(cast(Any, wsgi.application), workers=THREADS, send_queue_size=ANY_NUMBER)
application = Layer(cast(Any, ProtocolTypeRouter({"http": http, "websocket": asgi.websocket})))
