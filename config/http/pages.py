"""What the site shows beside the API: its OpenAPI document, what a problem's type means, how the live feed works, and
the page to try all of it on."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from config.http.asyncapi import asyncapi_document, described_at
from config.http.problems import KINDS, OTHER_KIND
from feed.live.frames import CloseCode
from feed.live.pacing import AT_A_TIME, BEAT_SECONDS
from feed.live.subscriptions import MOST_STREAMS
from storage.web.rest import MsgspecRenderer, encoded
from storage.web.revalidation import Revalidated

MEANINGS: dict[str, str] = {
    "bad-request": "A part of the request cannot be read: the body is no JSON object, or an id, a cursor, a limit or "
    "another parameter is not what it should be. detail says which. Sent again, it fails again.",
    "not-authenticated": "The request came without a token, or with one that is unknown, has ended or was revoked. "
    "Sign in at POST /api/v1/auth/token and send Authorization: Bearer <token>.",
    "forbidden": "It is known who asks, and they may not do this: the account is suspended, one of the two blocks the "
    "other, or the thing is somebody else's.",
    "not-found": "There is nothing under this address: it never was there, was deleted, or is hidden from who asks.",
    "method-not-allowed": "There is something under this address, but not for this method. The answer's Allow field "
    "names the methods.",
    "not-acceptable": "The answer is not to be had in any of the formats that Accept names.",
    "too-slow": "The request did not come within its time: a header has 10 seconds, a body 5 and one more for each KB, "
    "20 at most. Nothing was done; repeat it.",
    "conflict": "The same request, by its Idempotency-Key, is being worked on. Wait as Retry-After says, and "
    "repeat it.",
    "too-large": "The body has more than 64 KB.",
    "uri-too-long": "The address with its query is too long for the server. Put what is long into a body.",
    "unsupported-media-type": "Bodies are application/json in UTF-8, without Content-Encoding.",
    "refused": "The request was understood, and the rules turn it down. errors names each field: what is missing, too "
    "long, not allowed, or unknown to this route. Nothing was changed.",
    "too-many-requests": "More requests came than are allowed at a time. RateLimit and RateLimit-Policy say how many "
    "are, Retry-After when to come again.",
    "headers-too-large": "The fields of the request's header are too many or too long for the server.",
    "internal-error": "Something that nobody foresaw. Try again; if it stays, tell us request_id, under which the log "
    "has the cause.",
    "not-implemented": "The request uses a part of HTTP that the server does not know.",
    "unavailable": "A database or cache does not answer at the moment. Wait as Retry-After says, and repeat the "
    "request; a write is safe to repeat with the same Idempotency-Key.",
    "error": "The request failed; status and detail say how.",
}
"""By kind: what happened, and what to do about it."""
TITLES = {kind: (status, title) for status, (kind, title) in KINDS.items()} | {OTHER_KIND[0]: (None, OTHER_KIND[1])}

STATIC = Path(__file__).parents[1] / "static"

_making = Lock()
_made: dict[None, bytes] = {}


class Page(APIView):
    """A view that anybody may read, as often as they like. It touches nothing but memory."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()


class OpenAPIEndpoint(Revalidated, Page):
    """GET /api/v1/openapi.json. Made at the first request and kept, for the process's code does not change."""

    cache_control = "no-cache"
    varies_by = ("Accept-Encoding",)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(openapi_document(), content_type=OpenApiJsonRenderer.media_type)


class AsyncAPIEndpoint(Revalidated, Page):
    """GET /api/v1/asyncapi.json: the live feed, on the host that is asked."""

    cache_control = "no-cache"
    varies_by = ("Accept-Encoding", "Host")

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        protocol = "wss" if request.is_secure() else "ws"
        document = described_at(_asyncapi_document(), host=request.get_host(), protocol=protocol)
        return HttpResponse(encoded(document), content_type=MsgspecRenderer.media_type)


class ProblemPage(Page):
    """GET /problems/<kind>, as JSON or, for browsers, as a page."""

    @extend_schema(exclude=True)
    def get(self, request: Request, kind: str) -> HttpResponse:
        if kind not in TITLES:
            raise Http404
        status, title = TITLES[kind]
        told = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": MEANINGS[kind]}
        if prefers_a_page(request._request):
            response = HttpResponse(render_to_string("config/problem.html", told))
        else:
            response = HttpResponse(encoded(told), content_type=MsgspecRenderer.media_type)
        response["Vary"] = "Accept"
        return response


class LivePage(Page):
    """GET /api/docs/live/: the protocol of the live feed, for people."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        codes = {each.name: each.value for each in CloseCode}
        bounds = {"pace": round(AT_A_TIME / BEAT_SECONDS), "streams": MOST_STREAMS}
        return HttpResponse(render_to_string("config/live.html", {"codes": codes, **bounds}))


class ClientPage(Revalidated, Page):
    """GET / and what else is an address within the page to try the product on: the same page, which looks for itself
    where it is. All of its code is in config/static/client, and it knows no more than the public API."""

    cache_control = "no-cache"
    varies_by = ("Accept-Encoding",)

    @extend_schema(exclude=True)
    def get(self, request: Request, **place: object) -> HttpResponse:
        return HttpResponse(client_page())


@cache
def client_page() -> str:
    """Returns the page. It names every module, so that a browser need not find them one through another."""
    files = (path.relative_to(STATIC).as_posix() for path in (STATIC / "client").rglob("*.js"))
    modules = sorted(file for file in files if file != "client/theme.js")
    return render_to_string("config/client.html", {"modules": modules})


def sent_to(place: str) -> Callable[[HttpRequest], HttpResponseBase]:
    """Returns a view that sends on to `place`, for now."""
    return lambda request: HttpResponseRedirect(place)


@cache
def _asyncapi_document() -> dict[str, Any]:
    return asyncapi_document(msgspec.json.decode(openapi_document()))


def openapi_document() -> bytes:
    """Returns the OpenAPI document as JSON. Threads that ask for the first time wait for the one that makes it.

    The generator keeps state of the process's own while it works: two at once break each other.
    """
    with _making:
        if None not in _made:
            generator: Any = SchemaGenerator
            document = generator().get_schema(request=None, public=True)
            _made[None] = OpenApiJsonRenderer().render(document, renderer_context={})
        return _made[None]


def prefers_a_page(request: HttpRequest) -> bool:
    """Returns whether the client would rather have a page than JSON, as browsers would."""
    return request.get_preferred_type([MsgspecRenderer.media_type, "text/html"]) == "text/html"
