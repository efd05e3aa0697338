"""The GraphQL door over HTTP: the graphene schema, executed synchronously, within bounds.

A DRF view, so that tokens, body limits and error documents are those of REST. What is wrong with a
document or its variables is the client's mistake: it is answered 400, says where, and is not logged.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from graphql import GraphQLError
from rest_framework.exceptions import NotAcceptable
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors.graphql_context import GraphQLContext
from accounts.entities import Viewer
from accounts.sessions.authentication import count_further, viewer_or_none
from config.graphql import figures
from config.graphql.addresses import given_in_address
from config.graphql.answers import answered, formatted
from config.graphql.documents import Invalid, answers_a_token, is_write
from config.graphql.page import has_page, page, wants_page
from config.graphql.persisted import register
from config.graphql.repeats import Executed, executed_once
from config.graphql.requests import Prepared, prepared
from config.graphql.variables import GraphQLParser
from config.http.idempotency import HEADER
from storage.errors import BadRequest
from storage.web.client_address import client_address
from storage.web.revalidation import Revalidated

NOT_KEPT = "idempotency_key_not_kept"
BY_POST = "What is sent by GET may only read: send a mutation by POST."
FOR_ALL_SECONDS = 5
"""For so long a cache between may show everybody what has been deleted meanwhile."""
FOR_NOBODY = "no-store"
FOR_ALL = f"public, max-age={FOR_ALL_SECONDS}"


class GraphQLEndpoint(Revalidated):
    """POST /graphql with {query, variables, operationName, extensions}; GET with the same as parameters, to read.

    Of a GET there is an ETag, and what nobody in particular was answered may be kept by caches for a moment.
    """

    permission_classes = (AllowAny,)
    parser_classes = (GraphQLParser,)

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if wants_page(request) and has_page():
            return page()
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponseBase:
        if wants_page(request._request):
            raise NotAcceptable("There is no page here: send a document, and it is answered in JSON.")
        return self._answer(request, given_in_address(request._request))

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponseBase:
        if HEADER in request.headers:
            _ = request._request.body  # Kept, for it is part of what the key stands for.
        return self._answer(request, cast(Mapping[str, object], request.data))

    def _answer(self, request: Request, given: Mapping[str, object]) -> HttpResponseBase:
        began = perf_counter()
        try:
            asked = prepared(given, count_more=lambda amount: count_further(request._request, amount))
            if request.method != "POST" and is_write(asked.operation):
                raise Invalid([GraphQLError(BY_POST, extensions={"code": "not_by_get"})], status=405)
        except Invalid as refused:
            figures.count(figures.INVALID, figures.REFUSED, perf_counter() - began)
            return self._refused(refused)
        name, outcome = figures.name_of(asked.operation), figures.REFUSED
        try:
            response, outcome = self._executed(request, given, asked)
        finally:
            figures.count(name, outcome, perf_counter() - began)
        return response

    def _executed(self, request: Request, given: Mapping[str, object], asked: Prepared) -> tuple[HttpResponseBase, str]:
        """The answer, and what it is counted as."""
        viewer = viewer_or_none(request)
        key = request.headers.get(HEADER)
        repeatable = key is not None and viewer is not None and is_write(asked.operation)
        if repeatable and answers_a_token(asked.document, asked.operation):
            raise BadRequest(
                "An answer that holds a token is not kept: send it without Idempotency-Key.", code=NOT_KEPT
            )
        count_further(request._request, asked.size.requests - 1)
        register(given.get("query"), given.get("extensions"), asked.document, client_address(request._request))

        outcomes: list[str] = []

        def answer(operation_ids: Callable[[], int] | None = None) -> Executed:
            context = GraphQLContext(viewer, operation_ids, request._request, most_values=asked.size.most_values)
            executed = answered(asked, context)
            outcomes.append(_outcome(executed))
            return executed

        if repeatable:
            assert key is not None and viewer is not None  # noqa: S101, PT018 - for the types
            repeated = executed_once(request._request, viewer, key, answer)
            of_replay = figures.DATA if repeated.status_code < 400 else figures.ERRORS
            return repeated, outcomes[0] if outcomes else of_replay
        executed = answer()
        self.cache_control = _cache_control(viewer, executed)
        return Response(executed.body, status=executed.status), outcomes[0]

    def _refused(self, refused: Invalid) -> Response:
        self.cache_control = FOR_NOBODY
        if refused.status == 405:
            self.headers = {**self.headers, "Allow": "POST"}
        body = {"errors": [formatted(error) for error in refused.errors]}
        return Response(body, status=refused.status, headers={"Cache-Control": FOR_NOBODY})


def _outcome(executed: Executed) -> str:
    if executed.has_failed:
        return figures.FAILED
    return figures.ERRORS if "errors" in executed.body else figures.DATA


def _cache_control(viewer: Viewer | None, executed: Executed) -> str:
    if "errors" in executed.body:
        return FOR_NOBODY
    return FOR_ALL if viewer is None else Revalidated.cache_control
