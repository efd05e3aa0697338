"""Where traces begin, and what of them needs Django: requests, and SQL (storage/tracing.py; docs/adr/047).

Only loaded while traces are on: the middleware stands in MIDDLEWARE then.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.observability.requests import METHODS
from storage import tracing
from storage.spans import Attributes, Kind, Unit, link_of

READS = ("GET", "HEAD", "OPTIONS")
"""Requests that send no order, so that it is known at their beginning whether they are sampled."""
TRACEPARENT = "HTTP_TRACEPARENT"
STATEMENTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"})
TABLE = re.compile(r'(?:FROM|INTO|UPDATE)\s+"?(\w+)')

T = TypeVar("T")


class TraceMiddleware:
    """Has each request be a unit, from before its id is made until after its line is logged.

    A client's `traceparent` becomes a link, and never a parent: neither trace ids nor what is sampled are for who is
    outside to say. Of an address only the route is told: what stands in paths and queries is people's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        method = request.method if request.method in METHODS else "other"
        with tracing.unit(method, Kind.SERVER, may_adopt=method not in READS) as unit:
            if link := link_of(request.META.get(TRACEPARENT, "")):
                unit.links.append(link)
            response = self.get_response(request)
            if unit.may_be_told:
                _describe(unit, method, request, response)
        return response


def _describe(unit: Unit, method: str, request: HttpRequest, response: HttpResponseBase) -> None:
    route = "unknown" if request.resolver_match is None else f"/{request.resolver_match.route}"
    unit.root.name = f"{method} {route}"
    unit.root.attributes |= {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": response.status_code,
        "feed.request_id": response.get("X-Request-ID", ""),
    }
    if response.status_code >= 500:
        unit.root.failure = str(response.status_code)


def trace_sql() -> None:
    """Has the statements of every connection that is opened from now on be spans."""
    connection_created.connect(_trace_connection, dispatch_uid="traces")


def _trace_connection(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Again after each time that it was lost."""
    if _traced not in connection.execute_wrappers:
        connection.execute_wrappers.append(_traced)


def _traced(execute: Callable[..., T], sql: Any, params: object, many: bool, context: dict[str, Any]) -> T:
    if not tracing.is_recording():
        return execute(sql, params, many, context)
    with tracing.span("sql", Kind.CLIENT, _described(sql, context["connection"])):
        return execute(sql, params, many, context)


def _described(sql: object, connection: BaseDatabaseWrapper) -> Attributes:
    """Its first word and its table: a statement may hold a value."""
    text = sql if isinstance(sql, str) else ""
    word = text.split(None, 1)[0].upper() if text.strip() else ""
    table = TABLE.search(text)
    return {
        "db.system.name": connection.vendor,
        "db.namespace": connection.alias,
        "db.operation.name": word if word in STATEMENTS else "other",
        "db.collection.name": table[1] if table else "",
    }
