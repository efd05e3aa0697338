"""A GraphQL request's variables: whatever is wrong with them is the client's mistake, and named."""

from collections.abc import Mapping
from io import BytesIO
from typing import IO, cast

import msgspec
from graphql import GraphQLError, OperationDefinitionNode
from graphql.execution.values import get_variable_values
from rest_framework.exceptions import ParseError

from config.graphql.documents import MAX_ERRORS, CheckedDocument, Invalid, has_introspection, name_of
from config.graphql.schema import schema
from storage.errors import BadRequest
from storage.web.rest import MsgspecParser

CODE = "bad_variables"


class _Variables(msgspec.Struct):
    variables: dict[str, msgspec.Raw]


class GraphQLParser(MsgspecParser):
    """Parses a JSON object; a number that cannot be read in one of its variables is named."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        body = stream.read()
        try:
            return super().parse(BytesIO(body), media_type, parser_context)
        except ParseError:
            _name_unreadable(body)
            raise


def _name_unreadable(body: bytes) -> None:
    """Raises `BadRequest` if one of the variables cannot be read, in a body that otherwise can."""
    try:
        found = msgspec.json.decode(body, type=_Variables).variables
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    for name, raw in found.items():
        try:
            msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"The variable '${name}' holds a number out of range.", code=CODE) from error


def check_variables(
    document: CheckedDocument, operation: OperationDefinitionNode, given: Mapping[str, object] | None
) -> Mapping[str, object]:
    """Returns the variables as they are executed with, defaults among them.

    Raises `Invalid` unless the operation can be executed with them: each error names its variable.

    What the operation does not declare is no concern of it, as the specification says.
    """
    errors = _nulls(document, operation, given or {})
    coerced: dict[str, object] | list[GraphQLError] = {}
    if not errors:
        coerced = get_variable_values(
            schema.graphql_schema,
            operation.variable_definitions or (),
            dict(given or {}),
            max_errors=MAX_ERRORS,
            hide_suggestions=not has_introspection(),
        )
    if isinstance(coerced, list):
        errors = coerced
    if errors:
        raise Invalid([_as_mistake(error) for error in errors])
    return cast(dict[str, object], coerced)


def _nulls(
    document: CheckedDocument, operation: OperationDefinitionNode, given: Mapping[str, object]
) -> list[GraphQLError]:
    """Returns the errors of variables that are null, but are used where null may not stand."""
    nulls = document.never_null[name_of(operation)] & {name for name, value in given.items() if value is None}
    return [
        GraphQLError(f"Variable '${each.variable.name.value}' must not be null where it is used.", each)
        for each in operation.variable_definitions or ()
        if each.variable.name.value in nulls
    ]


def _as_mistake(error: GraphQLError) -> GraphQLError:
    """Returns the error without the exceptions behind it, which would be taken for ours."""
    return GraphQLError(error.message, error.nodes, extensions={"code": CODE})
