"""The live server: sockets only, `uvicorn config.asgi:application`. HTTP belongs to wsgi.py, but for what asks how
this process is (config/serving/probes.py)."""

import gc
from typing import Any, cast

from a2wsgi import WSGIMiddleware

from config import wsgi
from config.graphql.socket import GraphQLConsumer
from config.serving.asgi import Layer
from config.serving.connections import BoundedProtocol
from config.serving.probes import Probes
from config.serving.routed import Routed
from feed.live.guard import Guarded
from feed.routing import REFUSED, sockets

__all__ = ["BoundedProtocol", "application", "websocket"]

PROBING_THREADS = 2
COLLECTED_AFTER = (50_000, 10, 5)
"""Python's thresholds for collecting cycles, which are 700, 10 and 10 by themselves. A frame to each of a thousand
sockets makes thousands of objects at once that end without it, and each collection looked through what all sockets
keep: half of a frame's processor time (docs/adr/037). Sockets that have ended wait for none: they are no cycles."""

websocket = Guarded(Routed("path", {"/graphql": GraphQLConsumer.serve, **sockets}, REFUSED))
http = Probes(cast(Any, WSGIMiddleware(cast(Any, wsgi.application), workers=PROBING_THREADS)))
application = Layer(cast(Any, Routed("type", {"http": http, "websocket": websocket})), reading=False)

gc.freeze()  # what is loaded by now stays
gc.set_threshold(*COLLECTED_AFTER)
