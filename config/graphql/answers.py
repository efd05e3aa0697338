"""What a checked GraphQL document is answered with, over HTTP or on a socket: executed within bounds, errors masked."""

from collections.abc import Sequence

import structlog
from graphql import ExecutionResult, GraphQLError, execute
from graphql.execution.execute import assume_not_awaitable
from structlog.contextvars import get_contextvars

from accounts.doors.graphql_context import GraphQLContext
from config.graphql.documents import Invalid
from config.graphql.repeats import Executed
from config.graphql.requests import Prepared
from config.graphql.scanning import TooMuch
from config.graphql.schema import schema
from config.graphql.traced import EXECUTION
from config.http.idempotency import may_be_over
from config.http.problems import problem_of
from feed.live.frames import OverQuota
from storage.errors import Crowded, ServiceError, TooMany
from storage.web.attributes import TooManyValues

log = structlog.get_logger(__name__)

PASSES_LATER = (401, 429)
"""Refusals of a field after which other fields may have written, so that the key stays open: REST frees it."""


def answered(asked: Prepared, context: GraphQLContext, *, root: object = None) -> Executed:
    """Returns the answer to a query or mutation; of a subscription, to one event, which is the `root`."""
    try:
        return _executed(asked, context, root)
    except TooManyValues:
        refused = TooMuch(f"The answer would have more than {context.most_values} values: ask for less at a time.")
        return Executed({"errors": [formatted(refused)]}, 400, may_be_over=True)


def _executed(asked: Prepared, context: GraphQLContext, root: object) -> Executed:
    result = execute(
        schema.graphql_schema,
        asked.document.node,
        root,
        context,
        asked.variables,
        asked.name,
        execution_context_class=EXECUTION,
        is_awaitable=assume_not_awaitable,
    )
    assert isinstance(result, ExecutionResult)  # noqa: S101 - no resolver is async
    errors = result.errors or []
    body: dict[str, object] = {"data": result.data}
    if errors:
        body["errors"] = [formatted(error) for error in errors]
        _report(errors)
    status = 200 if result.data is not None or any(error.path for error in errors) else 400
    at_rest = [problem_of(error.original_error).status for error in errors if error.original_error is not None]
    return Executed(
        body,
        status,
        may_be_over=any(each in PASSES_LATER or may_be_over(each) for each in at_rest),
        has_failed=any(each >= 500 for each in at_rest),
    )


def refusals(error: Exception) -> list[dict[str, object]]:
    """Returns the errors, as clients see them, of what was refused as a whole, or failed."""
    if isinstance(error, Invalid):
        return [formatted(each) for each in error.errors]
    return [formatted(GraphQLError(str(error), original_error=error))]


def formatted(error: GraphQLError) -> dict[str, object]:
    """The error as clients see it, with the request's id: never the words of an exception that is not for them."""
    cause = error.original_error
    formatted = dict(error.formatted)
    if cause is None:
        extensions = dict(error.extensions or {})
    elif isinstance(cause, TooMany | Crowded | OverQuota):
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
