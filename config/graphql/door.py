"""The GraphQL door over HTTP: the graphene schema, executed synchronously, within bounds.

A DRF view, so that tokens, body limits and error documents are those of REST. A document is
parsed, then bounded (bounds.py), and only then validated: some of the
specification's rules take the square of what they are given.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import structlog
from django.conf import settings
from drf_spectacular.utils import extend_schema
from graphene.validation import DisableIntrospection
from graphql import DocumentNode, ExecutionContext, ExecutionResult, GraphQLError, execute, parse, validate
from graphql.validation import specified_rules
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.graphql import GraphQLContext
from accounts.sessions.authentication import viewer_or_none
from config.graphql.bounds import check_bounds
from config.graphql.schema import schema
from storage.errors import BadRequest, ServiceError

MAX_TOKENS = 2_000
MAX_VALIDATION_ERRORS = 20
DOCUMENTS_KEPT = 128
"""Parsed and validated documents kept in memory; clients send the same few again and again. At most 0.5 MB each."""

log = structlog.get_logger(__name__)


class Invalid(Exception):
    """The document was refused; nothing of it runs."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class GraphQLEndpoint(APIView):
    """POST /graphql with {query, variables, operationName}."""

    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        query, variables, operation = _parameters(cast(Mapping[str, object], request.data))
        try:
            document = _checked(query)
        except Invalid as refused:
            return Response({"errors": [_formatted(error) for error in refused.errors]}, status=400)
        result = execute(
            schema.graphql_schema,
            document,
            context_value=GraphQLContext(viewer_or_none(request)),
            variable_values=variables,
            operation_name=operation,
            execution_context_class=ExecutionContext,
        )
        assert isinstance(result, ExecutionResult)  # noqa: S101 - no resolver is async
        answer: dict[str, object] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_formatted(error) for error in result.errors]
        return Response(answer, status=200 if result.data is not None or _has_path(result) else 400)


def _parameters(data: Mapping[str, object]) -> tuple[str, dict[str, object] | None, str | None]:
    query, variables, operation = data.get("query"), data.get("variables"), data.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("query must be a GraphQL document.", code="bad_query")
    if not (variables is None or isinstance(variables, dict)):
        raise BadRequest("variables must be an object.", code="bad_variables")
    if not (operation is None or isinstance(operation, str)):
        raise BadRequest("operationName must be a string.", code="bad_operation")
    return query, variables, operation


@lru_cache(DOCUMENTS_KEPT)
def _checked(query: str) -> DocumentNode:
    """The parsed document. Raises `Invalid` with what is wrong; what is wrong is not kept."""
    try:
        document = parse(query, max_tokens=MAX_TOKENS)
        check_bounds(schema.graphql_schema, document)
    except GraphQLError as error:
        raise Invalid([error]) from error
    except RecursionError as error:
        raise Invalid([GraphQLError("The document is nested too deeply.")]) from error
    rules = [*specified_rules, *([DisableIntrospection] if settings.PRODUCTION else [])]
    errors = validate(schema.graphql_schema, document, rules, max_errors=MAX_VALIDATION_ERRORS)
    if errors:
        raise Invalid(errors)
    return document


def _has_path(result: ExecutionResult) -> bool:
    return any(error.path for error in result.errors or ())


def _formatted(error: GraphQLError) -> dict[str, object]:
    """The error as clients see it: never the words of an exception that is not meant for them."""
    cause = error.original_error
    if cause is None:
        return dict(error.formatted)
    if isinstance(cause, ServiceError):
        return {**error.formatted, "extensions": {"code": cause.code}}
    log.error("graphql_resolver_failed", exc_info=cause)
    return {**error.formatted, "message": "Something went wrong on our side.", "extensions": {"code": "server_error"}}
