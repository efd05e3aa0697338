"""From a request as it was sent, over HTTP or on a socket, to an operation that may be executed."""

from collections.abc import Mapping

import msgspec
from graphql import GraphQLError, OperationDefinitionNode, OperationType

from config.graphql.bounds import Size
from config.graphql.documents import CheckedDocument, CountMore, Invalid, checked_document
from config.graphql.persisted import document_of, is_listed
from config.graphql.variables import check_variables
from storage.errors import BadRequest

Variables = dict[str, object]

FOR_HTTP = "Queries and mutations are executed over HTTP: POST them to /graphql."
FOR_SOCKETS = "Subscriptions are not executed over HTTP: open a WebSocket at /graphql that speaks graphql-transport-ws."


class Prepared(msgspec.Struct, frozen=True, eq=False):
    """An operation that may be executed with its variables, and how large it is with them."""

    document: CheckedDocument
    operation: OperationDefinitionNode
    variables: Variables | None
    coerced: Mapping[str, object]
    """The same as they are executed with, defaults among them."""
    name: str | None
    size: Size


def prepared(
    given: Mapping[str, object], *, subscription: bool = False, count_more: CountMore = lambda _: None
) -> Prepared:
    """Returns what {query, variables, operationName, extensions} ask for: a subscription, or a query or mutation.

    What reading a text that is not known costs is told to `count_more` (documents.py), which may raise.
    Raises `BadRequest` for what is no request, `Invalid` for what cannot be executed, or not here.
    """
    sent, extensions = given.get("query"), given.get("extensions")
    query, variables, name = _parameters(given, document_of(sent, extensions))
    document = checked_document(query, count_more=_for_nothing if is_listed(sent, extensions) else count_more)
    operation = document.operation(name)
    if (operation.operation is OperationType.SUBSCRIPTION) is not subscription:
        elsewhere = FOR_HTTP if subscription else FOR_SOCKETS
        raise Invalid([GraphQLError(elsewhere, extensions={"code": "bad_operation"})])
    coerced = check_variables(document, operation, variables)
    return Prepared(document, operation, variables, coerced, name, document.size(operation, coerced))


def _for_nothing(_: int) -> None:
    """What the deployment has brought itself counts as the one request."""


def _parameters(data: Mapping[str, object], query: object) -> tuple[str, Variables | None, str | None]:
    variables, operation = data.get("variables"), data.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("query must be a GraphQL document.", code="bad_query")
    if not (variables is None or isinstance(variables, dict)):
        raise BadRequest("variables must be an object.", code="bad_variables")
    if not (operation is None or isinstance(operation, str)):
        raise BadRequest("operationName must be a string.", code="bad_operation")
    return query, variables, operation
