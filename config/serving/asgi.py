"""The layer around an ASGI application: no field with an underscore, and a body that is there when it is called.

A body that means something (WRITES) is read up to MAX_BODY_BYTES and one byte more, so that the application says 413
itself; one that is announced as longer is not read. Of other methods no body is read. What was not read ends the
connection (connections.py). A request without a body passes as it is.
"""

from collections.abc import Awaitable

from asgiref.sync import markcoroutinefunction
from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPScope,
    Scope,
    WebSocketScope,
)
from django.conf import settings

from config.http.middleware import WRITES
from config.http.problems import Problem
from config.http.refusals import told
from config.serving.bodies import SLOW, Bodies, More, TooSlow
from config.serving.headers import announced, without_underscores
from storage.web.client_address import scope_address


class Gone(Exception):
    """The client hung up before its body had ended."""


class Layer:
    """Wraps an application. One for each event loop. Without `reading`, nobody's body is read."""

    def __init__(self, application: ASGI3Application, *, reading: bool = True) -> None:
        self._application = application
        self._means_something = WRITES if reading else ()
        self._bodies = Bodies()

    @markcoroutinefunction  # as which uvicorn looks for it
    def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> Awaitable[None]:
        """Returns what is to be awaited: of a socket the application's own, as a layer more would stay as long."""
        if scope["type"] == "lifespan":
            return self._application(scope, receive, send)
        cleaned: HTTPScope | WebSocketScope = {**scope, "headers": without_underscores(list(scope["headers"]))}  # type: ignore[assignment]  # still the one or the other
        if cleaned["type"] == "websocket" or (length := announced(cleaned["headers"])) == 0:
            return self._application(cleaned, receive, send)
        return self._with_body(cleaned, length, receive, send)

    async def _with_body(
        self, cleaned: HTTPScope, length: int | None, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        body = b""
        if cleaned["method"] in self._means_something and (length is None or length <= settings.MAX_BODY_BYTES):
            try:
                body = await self._bodies.read(scope_address(cleaned), _more(receive), settings.MAX_BODY_BYTES)
            except TooSlow:
                return await answer(SLOW, cleaned, send)
            except Gone:
                return None
        return await self._application(cleaned, given(body, receive), send)


async def answer(problem: Problem, scope: HTTPScope, send: ASGISendCallable) -> None:
    """Sends a problem document, and says that the connection ends."""
    fields, body = told(problem, scope["path"])
    await send(
        {"type": "http.response.start", "status": problem.status, "headers": fields, "trailers": False},
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _more(receive: ASGIReceiveCallable) -> More:
    ended = False

    async def more() -> bytes | None:
        nonlocal ended
        if ended:
            return None
        event = await receive()
        if event["type"] != "http.request":
            raise Gone
        ended = not event["more_body"]
        return event["body"]

    return more


def given(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """Returns what hands out the body that was read, and then what the server has to say."""
    events: list[ASGIReceiveEvent] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_event() -> ASGIReceiveEvent:
        return events.pop() if events else await receive()

    return next_event
