"""What a GraphQL document may ask for, decided before the specification's own rules look at it.

Bounds: how many fields the document names, how deep they nest, and how many values its
answer can hold (its *complexity*): a field counts once for each item of the pages that it
stands in. Each fragment is measured once, so measuring takes time in proportion to the
document; fragments that double each other 200 times over do not.
"""

from collections.abc import Iterator

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    visit,
)
from graphql.language import Visitor

from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT

MAX_FIELDS = 200
"""Named in the document, aliases and fragments included. The whole of a page of tweets and what they quote is 70.
The specification's rule about fields that overlap compares each with each."""
MAX_DEPTH = 12
MAX_COMPLEXITY = 10_000
"""Values in an answer. The whole of 100 tweets and what they quote is 7,000."""
MUTATION_COMPLEXITY = 1_000
"""What a write counts besides its answer: at most nine in one request."""


class TooMuch(GraphQLError):
    """The document asks for more than anyone needs."""

    def __init__(self, message: str, node: Node | None = None) -> None:
        super().__init__(message, node, extensions={"code": "too_complex"})


class Size(msgspec.Struct, frozen=True):
    depth: int = 0
    complexity: int = 0


def check_bounds(schema: GraphQLSchema, document: DocumentNode) -> None:
    """Raises `TooMuch`. Says nothing about documents that are invalid in other ways."""
    counter = _FieldCounter()
    visit(document, counter)
    if counter.fields > MAX_FIELDS:
        raise TooMuch(f"The document names {counter.fields} fields; {MAX_FIELDS} are allowed.")
    measure = _Measure(schema, document)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            _check_size(measure.operation(definition), definition)


def _check_size(size: Size, operation: OperationDefinitionNode) -> None:
    if size.depth > MAX_DEPTH:
        raise TooMuch(f"The document is {size.depth} fields deep; {MAX_DEPTH} are allowed.", operation)
    if size.complexity > MAX_COMPLEXITY:
        raise TooMuch(
            f"The answer could hold {size.complexity} values; {MAX_COMPLEXITY} are allowed: ask for smaller pages.",
            operation,
        )


class _FieldCounter(Visitor):
    fields = 0

    def enter_field(self, *_node: object) -> None:
        self.fields += 1


class _Measure:
    """Depth and complexity of the parts of one document; introspection, which has a rule of its own, is free."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._measured: dict[str, Size] = {}

    def operation(self, node: OperationDefinitionNode) -> Size:
        return self._selections(node.selection_set, self._schema.get_root_type(node.operation))

    def _selections(self, node: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Size:
        sizes = list(self._each(node, parent)) if node is not None else []
        return Size(max((size.depth for size in sizes), default=0), sum(size.complexity for size in sizes))

    def _each(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> Iterator[Size]:
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                yield self._field(selection, parent)
            elif isinstance(selection, FragmentSpreadNode):
                yield self._fragment(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inside = parent if condition is None else self._schema.get_type(condition.name.value)
                yield self._selections(selection.selection_set, inside)

    def _fragment(self, name: str) -> Size:
        """A fragment within itself counts nothing there; the specification refuses it."""
        if name not in self._measured and name in self._fragments:
            self._measured[name] = Size()
            node = self._fragments[name]
            inside = self._schema.get_type(node.type_condition.name.value)
            self._measured[name] = self._selections(node.selection_set, inside)
        return self._measured.get(name, Size())

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Size:
        if node.name.value.startswith("__"):
            return Size()
        field: GraphQLField | None = getattr(parent, "fields", {}).get(node.name.value)
        inside = self._selections(node.selection_set, get_named_type(field.type) if field else None)
        own = MUTATION_COMPLEXITY if parent is not None and parent is self._schema.mutation_type else 1
        return Size(1 + inside.depth, own + _page_size(node, field) * inside.complexity)


def _page_size(node: FieldNode, field: GraphQLField | None) -> int:
    """Returns how many items the field answers with; the most, where a variable will say it."""
    if field is None or "first" not in field.args:
        return 1
    given = next((each.value for each in node.arguments if each.name.value == "first"), None)
    if given is None:
        return DEFAULT_LIMIT
    return min(int(given.value), MAX_LIMIT) if isinstance(given, IntValueNode) else MAX_LIMIT
