"""The GraphQL door over HTTP: the graphene schema, executed synchronously, within bounds.

A DRF view, so that tokens, body limits and error documents are those of REST. Bounds: tokens
of the document, depth, and how many fields it names in all, aliases included (a depth limit
alone lets a thousand aliases through).
"""

from functools import lru_cache
from typing import Any

import structlog
from django.conf import settings
from drf_spectacular.utils import extend_schema
from graphene.validation import DisableIntrospection, depth_limit_validator
from graphql import (
    DocumentNode,
    ExecutionContext,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    ValidationRule,
    execute,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import ValidationContext
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import viewer_of
from accounts.entities import Viewer
from config.schema import schema
from storage.errors import BadRequest, ServiceError

MAX_TOKENS = 2_000
MAX_DEPTH = 12
MAX_FIELDS = 300
MAX_VALIDATION_ERRORS = 20
DOCUMENTS_KEPT = 512
"""Parsed and validated documents kept in memory; clients send the same few again and again."""

log = structlog.get_logger(__name__)


class GraphQLContext:
    """What resolvers find as `info.context`."""

    def __init__(self, viewer: Viewer | None) -> None:
        self.viewer = viewer


class FieldLimit(ValidationRule):
    """Refuses a document that names more than MAX_FIELDS fields, aliases and fragments included."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fields = 0

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        self._fields += 1
        if self._fields == MAX_FIELDS + 1:
            self.report_error(GraphQLError(f"The document names more than {MAX_FIELDS} fields.", [node]))


class GraphQLAPI(APIView):
    """POST /graphql with {query, variables, operationName}."""

    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        query, variables, operation = _parameters(request.data)
        document, errors = _checked(query)
        if document is None:
            return Response({"errors": [_formatted(error) for error in errors]}, status=400)
        result = execute(
            schema.graphql_schema,
            document,
            context_value=GraphQLContext(viewer_of(request)),
            variable_values=variables,
            operation_name=operation,
            execution_context_class=ExecutionContext,
        )
        assert isinstance(result, ExecutionResult)  # noqa: S101 - no resolver is async
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_formatted(error) for error in result.errors]
        return Response(answer, status=200 if result.data is not None or _has_path(result) else 400)


def _parameters(data: Any) -> tuple[str, dict[str, Any] | None, str | None]:
    query, variables, operation = data.get("query"), data.get("variables"), data.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("query must be a GraphQL document.", code="bad_query")
    if not (variables is None or isinstance(variables, dict)):
        raise BadRequest("variables must be an object.", code="bad_variables")
    if not (operation is None or isinstance(operation, str)):
        raise BadRequest("operationName must be a string.", code="bad_operation")
    return query, variables, operation


@lru_cache(DOCUMENTS_KEPT)
def _checked(query: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    """The parsed document, or what is wrong with it."""
    try:
        document = parse(query, max_tokens=MAX_TOKENS)
    except (GraphQLError, RecursionError) as error:
        return None, (error if isinstance(error, GraphQLError) else GraphQLError("The document is nested too deeply."),)
    rules = [*specified_rules, depth_limit_validator(MAX_DEPTH), FieldLimit]
    if settings.PRODUCTION:
        rules.append(DisableIntrospection)
    errors = validate(schema.graphql_schema, document, rules, max_errors=MAX_VALIDATION_ERRORS)
    return (None, tuple(errors)) if errors else (document, ())


def _has_path(result: ExecutionResult) -> bool:
    return any(error.path for error in result.errors or ())


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """The error as clients see it: never the words of an exception that is not meant for them."""
    cause = error.original_error
    if cause is None:
        return dict(error.formatted)
    if isinstance(cause, ServiceError):
        return {**error.formatted, "extensions": {"code": cause.code}}
    log.error("graphql_resolver_failed", exc_info=cause)
    return {**error.formatted, "message": "Something went wrong on our side.", "extensions": {"code": "server_error"}}
