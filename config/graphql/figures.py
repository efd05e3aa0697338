"""What is counted of GraphQL, by operations whose names are the schema's and never a client's.

    graphql_operations_total{operation,outcome}   answers of POST and GET /graphql
    graphql_operation_seconds{operation}          how long they took

`operation` is the one field of the root that was asked for, `several` where there are more or they stand in fragments,
`introspection`, or `invalid` for what could not be executed. `outcome` is `data`, `errors` (with data or without),
`failed` (one of the errors is ours: what REST would answer with a 5xx) or `refused`. What GraphQL answers with a 5xx
itself is `refused` here, and counted by its status in http_requests_total.
"""

from functools import cache

from graphql import FieldNode, OperationDefinitionNode
from prometheus_client import Counter, Histogram

from config.graphql.schema import schema

OPERATIONS = Counter("graphql_operations", "GraphQL requests answered.", ["operation", "outcome"])
SECONDS = Histogram("graphql_operation_seconds", "From a GraphQL request to its answer.", ["operation"])
SEVERAL, INTROSPECTION, INVALID = "several", "introspection", "invalid"
DATA, ERRORS, FAILED, REFUSED = "data", "errors", "failed", "refused"


def name_of(operation: OperationDefinitionNode) -> str:
    """Returns what a checked operation is counted as."""
    selected = operation.selection_set.selections
    if len(selected) != 1 or not isinstance(selected[0], FieldNode):
        return SEVERAL
    name = selected[0].name.value
    if name.startswith("__"):
        return INTROSPECTION
    root = schema.graphql_schema.get_root_type(operation.operation)
    return name if root is not None and name in root.fields else INVALID


def count(operation: str, outcome: str, seconds: float) -> None:
    """Counts one answer."""
    _operations(operation, outcome).inc()
    SECONDS.labels(operation).observe(seconds)


@cache
def _operations(operation: str, outcome: str) -> Counter:
    """Looked up once. Failures are there as 0 from an operation's first answer on: a rate sees no first one else."""
    OPERATIONS.labels(operation, FAILED)
    return OPERATIONS.labels(operation, outcome)
