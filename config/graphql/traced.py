"""Executing GraphQL with a span for each field of an operation itself, and for each reading together.

Not for the fields below: a page of twenty tweets has hundreds, and what they read is read together.
"""

from collections.abc import Hashable, Sequence
from typing import Any

from graphql import FieldNode, GraphQLObjectType
from graphql.pyutils import Path

from storage import tracing
from storage.web.batches import BatchingExecution, Read


class TracedExecution(BatchingExecution):
    """Fields are named as the schema names them; what a client calls them is the client's."""

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        if path.prev is not None:
            return super().execute_field(parent_type, source, field_nodes, path)
        with tracing.span(f"graphql {parent_type.name}.{field_nodes[0].name.value}"):
            return super().execute_field(parent_type, source, field_nodes, path)

    def _look_up(self, group: tuple[Read, tuple[Hashable, ...]], keys: Sequence[Hashable]) -> None:
        with tracing.span(f"graphql read {getattr(group[0], '__name__', '')}", attributes={"feed.keys": len(keys)}):
            super()._look_up(group, keys)


EXECUTION = TracedExecution if tracing.is_on() else BatchingExecution
