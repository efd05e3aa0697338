"""What is known of every request that was answered: its id, its log line, and the counts of /metrics.

    http_requests_total{method,route,status}    answers; `route` is the URL's pattern, "unknown" where none matched
    http_request_seconds{method,route}          how long they took

A path stands in the line as it was asked for, but of a route with a parameter of PRIVATE: of that the pattern does.
Costs no round trip. No label holds an id or a path: a route is a pattern, a method one of METHODS or "other".
"""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, reset_contextvars

from config.observability.logs import write_request
from storage.telling import teller
from storage.web.rest import escaped_path

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FAILURES = (500, 503)
"""Statuses that are counted as 0 from a route's first answer on: no rate is known of what begins with its first one."""
PRIVATE = frozenset({"word"})
"""Parameters of routes that hold words which somebody has typed, and nobody else is to read. deploy/nginx.conf says it
of its own lines."""
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

REQUESTS = Counter("http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("http_request_seconds", "From the first middleware to the answer.", ["method", "route"])


class RequestIdMiddleware:
    """Gives the request an id (the client's, if sane), puts it on the answer and on every log line.

    Logs one line a request, and counts it. Stands first, so that no answer leaves without the header.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request_id = _request_id(request)
        bound = bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            seconds = time.perf_counter() - started
            _count(request, response, seconds)
            write_request(
                request_id=request_id,
                method=request.method,
                path=_logged_path(request),
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                user_id=getattr(getattr(request, "user", None), "id", None),
            )
        finally:
            reset_contextvars(**bound)
        response["X-Request-ID"] = request_id
        return response


def _request_id(request: HttpRequest) -> str:
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if given and SANE_REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _logged_path(request: HttpRequest) -> str:
    """Of what was refused before its route was looked for, too: that is looked for here."""
    match = request.resolver_match
    if match is None:
        with suppress(Resolver404):
            match = resolve(request.path_info)
    if match is None or PRIVATE.isdisjoint(match.kwargs):
        return escaped_path(request.path)
    return f"/{match.route}"


def _count(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    method = request.method if request.method in METHODS else "other"
    route = f"/{request.resolver_match.route}" if request.resolver_match is not None else "unknown"
    teller.tell(_add, (method, route, response.status_code, seconds))


def _add(answer: tuple[str, str, int, float]) -> None:
    method, route, status, seconds = answer
    _requests(method, route, status).inc()
    _seconds(method, route).observe(seconds)


@cache
def _requests(method: str, route: str, status: int) -> Counter:
    """Looked up once; there are as many as there are series."""
    return REQUESTS.labels(method, route, str(status))


@cache
def _seconds(method: str, route: str) -> Histogram:
    """As `_requests`; once for each of its routes."""
    for status in FAILURES:
        _requests(method, route, status)
    return SECONDS.labels(method, route)
