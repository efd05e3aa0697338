"""What one request asks for: by POST in its body, by GET in its address."""

from collections.abc import Mapping
from typing import cast

import msgspec
from django.http import QueryDict

from config.graphql.persisted import Named, document_of
from storage.errors import BadRequest

Variables = dict[str, object]

IN_JSON = {"variables": "bad_variables", "extensions": "bad_query"}
"""The parameters of an address that are written as JSON, and the code of one that is none."""


class Asked(msgspec.Struct, frozen=True):
    query: str
    document: Named
    variables: Variables | None
    operation_name: str | None


def asked_in(given: Mapping[str, object]) -> Asked:
    """Returns what {query, variables, operationName, extensions} ask for. Raises and costs as `document_of` does."""
    document = document_of(given.get("query"), given.get("extensions"))
    query, variables, operation = document.text, given.get("variables"), given.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("query must be a GraphQL document.", code="bad_query")
    if not (variables is None or isinstance(variables, dict)):
        raise BadRequest("variables must be an object.", code="bad_variables")
    if not (operation is None or isinstance(operation, str)):
        raise BadRequest("operationName must be a string.", code="bad_operation")
    return Asked(query, document, variables, operation)


def given_in_address(parameters: QueryDict) -> Mapping[str, object]:
    """Returns the same of an address; what is empty was not given. Raises `BadRequest`."""
    given: dict[str, object] = {name: parameters[name] or None for name in parameters}
    for name, code in IN_JSON.items():
        if (text := cast(str | None, given.get(name))) is not None:
            try:
                given[name] = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise BadRequest(f"{name} must be JSON.", code=code) from error
    return given
