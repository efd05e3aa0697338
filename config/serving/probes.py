"""The only HTTP that the live server speaks: how it is, for a container's healthcheck and for Prometheus.

No body is read, whatever the method. Other paths are a 404, in the event loop.
"""

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope

from config.http.problems import Problem
from config.serving.asgi import answer, given

PATHS = ("/healthz", "/readyz", "/metrics")
NOT_HERE = Problem(status=404, detail="There is nothing here.", code="not_found")


class Probes:
    """Wraps the application that answers them."""

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["path"] in PATHS and scope["method"] in ("GET", "HEAD"):
            await self._application(scope, given(b"", receive), send)
        else:
            await answer(NOT_HERE, scope, send)
