"""The GraphQL door over HTTP: the graphene schema, executed synchronously, within bounds.

A DRF view, so that tokens, body limits and error documents are those of REST. What is wrong with a
document or its variables is the client's mistake: it is answered 400, says where, and is not logged.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import structlog
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from graphql import ExecutionResult, GraphQLError, execute
from graphql.execution.execute import assume_not_awaitable
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from structlog.contextvars import get_contextvars

from accounts.doors.graphql import GraphQLContext
from accounts.sessions.authentication import count_further, viewer_or_none
from config.graphql.documents import CheckedDocument, Invalid, answers_a_token, checked_document, is_write
from config.graphql.persisted import document_of
from config.graphql.repeats import Executed, executed_once
from config.graphql.scanning import TooMuch
from config.graphql.schema import schema
from config.graphql.variables import GraphQLParser, check_variables
from config.http.idempotency import HEADER, may_be_over
from config.http.problems import problem_of
from storage.errors import BadRequest, Crowded, ServiceError, TooMany
from storage.web.attributes import TooManyValues
from storage.web.batches import BatchingExecution

log = structlog.get_logger(__name__)

Variables = dict[str, object]

PASSES_LATER = (401, 429)
"""Refusals of a field after which other fields may have written, so that the key stays open: REST frees it."""
NOT_KEPT = "idempotency_key_not_kept"


class GraphQLEndpoint(APIView):
    """POST /graphql with {query, variables, operationName}."""

    permission_classes = (AllowAny,)
    parser_classes = (GraphQLParser,)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is not None:
            _ = request._request.body  # Kept, for it is part of what the key stands for.
        given = cast(Mapping[str, object], request.data)
        try:
            query, variables, name = _parameters(given, document_of(given.get("query"), given.get("extensions")))
            document = checked_document(query)
            operation = document.operation(name)
            size = document.size(operation, check_variables(document, operation, variables))
        except Invalid as refused:
            return Response({"errors": [_formatted(error) for error in refused.errors]}, status=refused.status)
        viewer = viewer_or_none(request)
        repeatable = key is not None and viewer is not None and is_write(operation)
        if repeatable and answers_a_token(document, operation):
            raise BadRequest(
                "An answer that holds a token is not kept: send it without Idempotency-Key.", code=NOT_KEPT
            )
        count_further(request._request, size.requests - 1)

        def answer(operation_ids: Callable[[], int] | None = None) -> Executed:
            context = GraphQLContext(viewer, operation_ids, request._request, most_values=size.most_values)
            return _executed(document, context, variables, name)

        if repeatable:
            assert key is not None and viewer is not None  # noqa: S101, PT018 - for the types
            return executed_once(request._request, viewer, key, answer)
        executed = answer()
        return Response(executed.body, status=executed.status)


def _parameters(data: Mapping[str, object], query: object) -> tuple[str, Variables | None, str | None]:
    variables, operation = data.get("variables"), data.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("query must be a GraphQL document.", code="bad_query")
    if not (variables is None or isinstance(variables, dict)):
        raise BadRequest("variables must be an object.", code="bad_variables")
    if not (operation is None or isinstance(operation, str)):
        raise BadRequest("operationName must be a string.", code="bad_operation")
    return query, variables, operation


def _executed(
    document: CheckedDocument, context: GraphQLContext, variables: Variables | None, name: str | None
) -> Executed:
    try:
        return _answered(document, context, variables, name)
    except TooManyValues:
        refused = TooMuch(f"The answer would have more than {context.most_values} values: ask for less at a time.")
        return Executed({"errors": [_formatted(refused)]}, 400, may_be_over=True)


def _answered(
    document: CheckedDocument, context: GraphQLContext, variables: Variables | None, name: str | None
) -> Executed:
    result = execute(
        schema.graphql_schema,
        document.node,
        context_value=context,
        variable_values=variables,
        operation_name=name,
        execution_context_class=BatchingExecution,
        is_awaitable=assume_not_awaitable,
    )
    assert isinstance(result, ExecutionResult)  # noqa: S101 - no resolver is async
    errors = result.errors or []
    body: dict[str, object] = {"data": result.data}
    if errors:
        body["errors"] = [_formatted(error) for error in errors]
        _report(errors)
    status = 200 if result.data is not None or any(error.path for error in errors) else 400
    return Executed(body, status, may_be_over=any(_may_be_over(error) for error in errors))


def _may_be_over(error: GraphQLError) -> bool:
    """Returns whether REST would answer what is behind the error with a failure, or a refusal that passes."""
    cause = error.original_error
    if cause is None:
        return False
    status = problem_of(cause).status
    return status in PASSES_LATER or may_be_over(status)


def _formatted(error: GraphQLError) -> dict[str, object]:
    """The error as clients see it, with the request's id: never the words of an exception that is not for them."""
    cause = error.original_error
    formatted = dict(error.formatted)
    if cause is None:
        extensions = dict(error.extensions or {})
    elif isinstance(cause, TooMany | Crowded):
        extensions = {"code": cause.code, "retryAfter": cause.retry_after_seconds}
    elif isinstance(cause, ServiceError):
        extensions = {"code": cause.code}
    else:
        formatted["message"], extensions = "Something went wrong on our side.", {"code": "server_error"}
    return {**formatted, "extensions": {**extensions, "requestId": get_contextvars().get("request_id")}}


def _report(errors: Sequence[GraphQLError]) -> None:
    """Logs what nobody foresaw, each cause once, in however many fields it was raised."""
    causes = {id(error.original_error): error.original_error for error in errors}
    for cause in causes.values():
        if cause is not None and not isinstance(cause, ServiceError):
            log.error("graphql_resolver_failed", exc_info=cause)
