"""Every error as RFC 9457 `application/problem+json`, translated here and nowhere else.

    type        /problems/<kind>, one for each status: see KINDS; a page of this site (pages.py)
    title       the kind in words
    status      the HTTP status
    detail      what happened this time; never a driver's words or a stack trace
    instance    the path asked for
    code        what exactly, for programs: "bad_cursor", "suspended", "following_oneself" …
    request_id  the answer's X-Request-ID, which finds the request in the log
    errors      {field: [messages]}, for status 422 only

What nobody foresaw is logged with its traceback and answered with 500 and no detail.
"""

import math
from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import TypedDict

import msgspec
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.urls import is_valid_path
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes
from django.views import defaults
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback
from structlog.contextvars import get_contextvars

from storage.errors import (
    BadRequest,
    Busy,
    Crowded,
    Forbidden,
    NotFound,
    NotSignedIn,
    Refused,
    ServiceError,
    TooMany,
    Unavailable,
)
from storage.web.rest import PackedBody

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/v1/"
ADMIN_PREFIX = "/admin/"
"""Below this people, not programs, read the answers: Django's own pages."""

KINDS: dict[int, tuple[str, str]] = {
    400: ("bad-request", "The request cannot be read"),
    401: ("not-authenticated", "Not signed in"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    406: ("not-acceptable", "Not acceptable"),
    408: ("too-slow", "The request came too slowly"),
    409: ("conflict", "Conflict"),
    413: ("too-large", "The body is too large"),
    414: ("uri-too-long", "The address is too long"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("refused", "Understood and refused"),
    429: ("too-many-requests", "Too many requests"),
    431: ("headers-too-large", "The header is too large"),
    500: ("internal-error", "Something went wrong on our side"),
    501: ("not-implemented", "Not implemented"),
    503: ("unavailable", "A backend does not answer"),
}
OTHER_KIND = ("error", "The request failed")
"""Of a status that is not among them."""
STATUS_OF: dict[type[ServiceError], int] = {
    NotFound: 404,
    NotSignedIn: 401,
    Forbidden: 403,
    Refused: 422,
    Busy: 409,
    BadRequest: 400,
    TooMany: 429,
    Unavailable: 503,
}
REFUSED_DETAIL = "Some of what you sent was refused; see errors."


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem, before it is known in which request."""

    status: int
    detail: str
    code: str
    errors: Mapping[str, list[str]] | None = None
    headers: Mapping[str, str] = {}


@singledispatch
def problem_of(error: Exception) -> Problem:
    """Returns what the client hears of `error`."""
    return Problem(status=500, detail="Please try again; if it stays, tell us the request id.", code="internal_error")


@problem_of.register
def _(error: ServiceError) -> Problem:
    status = next(STATUS_OF[each] for each in type(error).__mro__ if each in STATUS_OF)
    return Problem(
        status=status,
        detail=error.message,
        code=error.code,
        errors=error.errors if isinstance(error, Refused) else None,
        headers=_service_headers(error),
    )


@problem_of.register
def _(error: exceptions.APIException) -> Problem:
    return Problem(
        status=error.status_code, detail=str(error.detail), code=_drf_code(error), headers=_drf_headers(error)
    )


@problem_of.register
def _(error: exceptions.ValidationError) -> Problem:
    return Problem(status=422, detail=REFUSED_DETAIL, code="invalid", errors=flat_errors(error.detail))


@problem_of.register
def _(error: Http404) -> Problem:
    return Problem(status=404, detail="There is nothing here.", code="not_found")


@problem_of.register
def _(error: PermissionDenied) -> Problem:
    return Problem(status=403, detail="You may not do this.", code="forbidden")


@problem_of.register
def _(error: SuspiciousOperation) -> Problem:
    return Problem(status=400, detail="This request cannot be read.", code="bad_request")


@problem_of.register
def _(error: RequestDataTooBig) -> Problem:
    return too_large()


@problem_of.register(OperationalError)
@problem_of.register(InterfaceError)
def _(error: Exception) -> Problem:
    return problem_of(Unavailable("database"))


def too_large() -> Problem:
    return Problem(status=413, detail="The body is larger than 64 KB.", code="too_large")


class ViewContext(TypedDict):
    """What DRF says of the view that raised, as far as it is read here."""

    request: Request


def exception_handler(error: Exception, context: ViewContext) -> Response:
    """Returns the answer to an exception in a view; DRF calls it for each."""
    problem = problem_of(error)
    set_rollback()
    _report(error, problem)
    return Response(
        document(problem, context["request"].path),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """Returns the same answer outside DRF."""
    return HttpResponse(
        msgspec.json.encode(document(problem, request.path)),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


def document(problem: Problem, path: str) -> dict[str, object]:
    """Returns the problem document for a request of `path`."""
    kind, title = KINDS.get(problem.status, OTHER_KIND)
    body = {
        "type": f"/problems/{kind}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": escape_uri_path(path),
        "code": problem.code,
        "request_id": get_contextvars().get("request_id"),
    }
    return body if problem.errors is None else {**body, "errors": problem.errors}


def flat_errors(detail: object, field: str = "") -> dict[str, list[str]]:
    """Returns DRF's nested errors as {"field.inner": [messages]}; those of the body as a whole under "body"."""
    if isinstance(detail, dict):
        inner = (
            (f"{field}.{name}".strip(".") if name != "non_field_errors" else field, it) for name, it in detail.items()
        )
    elif isinstance(detail, list) and any(isinstance(each, dict | list) for each in detail):
        inner = ((f"{field}.{place}".strip("."), each) for place, each in enumerate(detail) if each)
    else:
        return {field or "body": [str(each) for each in (detail if isinstance(detail, list) else [detail])]}
    return {name: messages for key, each in inner for name, messages in flat_errors(each, key).items()}


def handler400(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _page_or_problem(request, exception, lambda: defaults.bad_request(request, exception))


def handler403(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _page_or_problem(request, exception, lambda: defaults.permission_denied(request, exception))


MAX_REDIRECT = 8_000
"""Characters. Django refuses to send anybody to an address of more than 16,384."""


def handler404(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Sends on to the path that differs by a slash at its end, if there is one, with method and body as they are.

    Not within the API, whose paths are one path and no other.
    """
    path = request.path_info
    if request.resolver_match is None and not path.startswith(API_PREFIX) and is_valid_path(other := _by_a_slash(path)):
        query = request.META.get("QUERY_STRING", "")
        place = escape_leading_slashes(escape_uri_path(other)) + (f"?{query}" if query else "")
        if len(place) <= MAX_REDIRECT:
            return HttpResponsePermanentRedirect(place, preserve_request=True)
    return _page_or_problem(request, exception, lambda: defaults.page_not_found(request, exception))


def handler500(request: HttpRequest) -> HttpResponseBase:
    """Answers after Django has logged the exception."""
    return _page_or_problem(request, Exception(), lambda: defaults.server_error(request))


def _page_or_problem(request: HttpRequest, error: Exception, page: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    if request.path.startswith(ADMIN_PREFIX):
        return page()
    return problem_response(problem_of(error), request)


def _by_a_slash(path: str) -> str:
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def _report(error: Exception, problem: Problem) -> None:
    if problem.status == 500:
        log.error("unhandled_exception", exc_info=error)
    elif problem.status == 503 and not isinstance(error, Crowded):
        log.warning("backend_unavailable", detail=problem.detail, error=repr(error.__cause__ or error))


def _service_headers(error: ServiceError) -> dict[str, str]:
    if isinstance(error, NotSignedIn):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, Unavailable | Busy | TooMany):
        return {"Retry-After": str(error.retry_after_seconds)}
    return {}


def _drf_headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if error.status_code == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    if isinstance(error, PackedBody):
        headers["Accept-Encoding"] = error.accept_encoding
    return headers


def _drf_code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else "error"
