"""Paths that raise each error there is, beside the product's own; and what a problem document has."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.http.problems import KINDS
from storage.errors import BadRequest, Forbidden, NotFound, NotSignedIn, Refused, Unavailable

SECRET = "driver says: password authentication failed for user postgres at 10.0.0.1"
raised: dict[str, Callable[[], Exception]] = {
    "not-found": lambda: NotFound("There is no such thing."),
    "not-signed-in": lambda: NotSignedIn("Who are you?"),
    "forbidden": lambda: Forbidden("No.", code="suspended"),
    "refused": lambda: Refused("text", "Too long."),
    "bad-request": lambda: BadRequest("Bad cursor.", code="bad_cursor"),
    "unavailable": lambda: Unavailable("store"),
    "sql-down": lambda: OperationalError(SECRET),
    "validation": lambda: exceptions.ValidationError({"a": ["x"], "b": {"c": ["y"]}}),
    "throttled": lambda: exceptions.Throttled(wait=1.2),
    "drf-forbidden": exceptions.PermissionDenied,
    "drf-unauthenticated": exceptions.NotAuthenticated,
    "http404": lambda: Http404(SECRET),
    "django-forbidden": lambda: PermissionDenied(SECRET),
    "suspicious": lambda: SuspiciousOperation(SECRET),
    "surprise": lambda: RuntimeError(SECRET),
}


class Raises(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request, name: str) -> Response:
        raise raised[name]()


class Echoes(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        return Response({"got": request.data})


def plain(request: HttpRequest, name: str) -> HttpResponse:
    raise raised[name]()


def sees_a_session(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"session": hasattr(request, "session"), "user": hasattr(request, "user")})


urlpatterns = [
    path("session", sees_a_session),
    path("admin/session", sees_a_session),
    path("raises/<str:name>", Raises.as_view()),
    path("plain/<str:name>", plain),
    path("admin/raises/<str:name>", plain),
    path("echoes", Echoes.as_view()),
    path("", include("config.urls")),
]
handler400 = "config.http.problems.handler400"
handler403 = "config.http.problems.handler403"
handler404 = "config.http.problems.handler404"
handler500 = "config.http.problems.handler500"

EXPECTED = {
    "not-found": (404, "not_found"),
    "not-signed-in": (401, "not_authenticated"),
    "forbidden": (403, "suspended"),
    "refused": (422, "invalid"),
    "bad-request": (400, "bad_cursor"),
    "unavailable": (503, "unavailable"),
    "sql-down": (503, "unavailable"),
    "validation": (422, "invalid"),
    "throttled": (429, "throttled"),
    "drf-forbidden": (403, "permission_denied"),
    "drf-unauthenticated": (401, "not_authenticated"),
    "http404": (404, "not_found"),
    "django-forbidden": (403, "forbidden"),
    "suspicious": (400, "bad_request"),
    "surprise": (500, "internal_error"),
}


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    """The document, after checking what every one has."""
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    kind, title = KINDS[status]
    assert (body["type"], body["title"], body["status"]) == (f"/problems/{kind}", title, status)
    assert unquote(body["instance"]) == answer.request["PATH_INFO"]
    assert body["request_id"] == answer["X-Request-ID"]
    assert body["detail"]
    assert ("errors" in body) == (status == 422)
    assert SECRET not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()
    return body
