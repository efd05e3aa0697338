"""What a parsed GraphQL document may ask for, decided before the specification's own rules look at it.

Three kinds of bounds, each taking time in proportion to the document:
- how often things stand in it (`LIMITS`): the specification's rules take the square of some, and
  what costs an ordinary page to be looked at must not be;
- how deep its fields nest, and how many values its answer can hold (its *complexity*): a field
  counts once for each item of the pages that it stands in;
- what costs something however little of it is answered: opening a page, and writing.

Nothing that a document says can lower what it counts: `@skip` and `@include` count as if they let everything through,
and a page of fewer than one item is refused. What variables ask for is known when a request brings them (documents.py):
before that, they count as the largest page. Each fragment is measured once, and counted wherever it is spread.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec
from graphql import (
    DirectiveNode,
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
    ListValueNode,
    Node,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
)

from config.graphql.scanning import TooMuch
from storage.web.graphql import PAGE_SIZES, bad_page_size
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT

LIMITS: dict[type[Node], tuple[str, int]] = {
    FieldNode: ("fields", 200),
    FragmentDefinitionNode: ("fragments", 30),
    FragmentSpreadNode: ("fragment spreads", 60),
    InlineFragmentNode: ("inline fragments", 60),
    DirectiveNode: ("directives", 60),
    OperationDefinitionNode: ("operations", 10),
    VariableDefinitionNode: ("variables", 60),
}
"""How often each may stand in a document. The whole of a page of tweets and what they quote names 70 fields."""
MAX_PAIRS = 2_500
"""Of fields that are answered under one name. One of the specification's rules compares those of one place each with
each. Clients put `__typename` everywhere: it may stand in 71 places."""
FRAGMENT_PAIR = 5
"""What a pair counts whose fields stand in fragments: the rule compares fragments with each other and with what they
spread, and so comes to it several times."""
MAX_DEPTH = 12
MAX_COMPLEXITY = 10_000
"""Values in an answer. The whole of 100 tweets and what they quote is 7,000."""
PAGE_COMPLEXITY = 1_000
"""What a page counts besides its items, wherever it stands in the document: some round trips and, far back, reads
of the store. Pages within pages are read together, so it is not counted again for each item."""
INNER_PAGE_COMPLEXITY = 10
"""What a page counts for each item that it belongs to: a listing that has to be looked at, if only to find it empty."""
MUTATION_COMPLEXITY = 1_000
"""What a write counts besides its answer: at most nine in one request."""
ORDINARY_PAGE = 2_500
"""What counts as one request at the rate limits: the whole of 20 tweets and what they quote is 2,400."""
LISTS = ("ids", "usernames")
"""Arguments that list what a field answers, which is then a page of so many items."""
INTROSPECTION = ("__schema", "__type")
COST_A_PAGE = ("unreadNotificationsCount",)
"""Fields that are no page and may cost one."""
VALUES_COUNTED = 4
"""Values that may be answered for each that is counted. Mentions, hashtags and links of a tweet are counted as one
each, as most have none or one, but a text holds up to 93: what people write must not cost what nobody counted."""
FEWEST_VALUES = 8_000
"""That any document may be answered with: more than the 5,100 of a client that asks for the whole schema."""


class Size(msgspec.Struct, frozen=True):
    """Of a part of a document: how deep, how many values, how many pages and introspections it opens, and writes."""

    depth: int = 0
    complexity: int = 0
    pages: int = 0
    writes: int = 0

    @property
    def total(self) -> int:
        return self.complexity + self.pages * PAGE_COMPLEXITY

    @property
    def most_values(self) -> int:
        """How many values may be answered, whatever the data hold (storage/web/batches.py looks at it)."""
        return max(FEWEST_VALUES, VALUES_COUNTED * self.total)

    @property
    def requests(self) -> int:
        """How many requests it counts as: for each ordinary page that it costs, and for each write, one."""
        return max(1, self.writes, math.ceil(self.total / ORDINARY_PAGE))


class Bounded(msgspec.Struct, frozen=True):
    """An operation that may be executed: its size with the largest pages that variables could ask for, and which do."""

    largest: Size
    sizing: frozenset[str]
    """Names of variables that say how many, in this operation or in another one of the document."""


def check_bounds(
    schema: GraphQLSchema, document: DocumentNode, *, introspection: bool
) -> list[tuple[OperationDefinitionNode, Bounded]]:
    """Returns of each operation how large it is at the most.

    Raises `TooMuch` for what is too large even with the smallest pages that variables could ask for, and
    `GraphQLError` for introspection where it is off and for a page size that is none. Says nothing about documents
    that are invalid in other ways.
    """
    _check_counts(document, introspection=introspection)
    measure = _Measure(schema, document)
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    sizes = [(each, measure.operation(each)) for each in operations]
    smallest = _Measure(schema, document, dict.fromkeys(measure.sizing, 1)) if measure.sizing else None
    for operation, size in sizes:
        check_size(size if smallest is None else smallest.operation(operation), operation)
    return [(each, Bounded(size, frozenset(measure.sizing))) for each, size in sizes]


def measured(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, sizes: Mapping[str, int | None]
) -> Size:
    """Returns the operation's size with what its variables ask for: of how many by name, None of those not given."""
    return _Measure(schema, document, sizes).operation(operation)


def _check_counts(document: DocumentNode, *, introspection: bool) -> None:
    counted: Counter[type[Node]] = Counter()
    names: Counter[str] = Counter()
    in_fragments: Counter[str] = Counter()
    for definition in document.definitions:
        for node in _nodes(definition):
            counted[type(node)] += 1
            if isinstance(node, FieldNode):
                names[(node.alias or node.name).value] += 1
                if isinstance(definition, FragmentDefinitionNode):
                    in_fragments[(node.alias or node.name).value] += 1
                if node.name.value in INTROSPECTION and not introspection:
                    raise GraphQLError("There is no introspection here.", node, extensions={"code": "no_introspection"})
    for kind, (words, limit) in LIMITS.items():
        if counted[kind] > limit:
            raise TooMuch(f"The document has {counted[kind]} {words}; {limit} are allowed.")
    pairs = _pairs(names) + (FRAGMENT_PAIR - 1) * _pairs(in_fragments)
    if pairs > MAX_PAIRS:
        raise TooMuch(f"The document has {pairs} pairs of fields of one name; {MAX_PAIRS} are allowed.")


def _pairs(names: Counter[str]) -> int:
    return sum(math.comb(times, 2) for times in names.values())


COUNTED_IN = ("selection_set", "selections", "directives", "variable_definitions")
"""Where in a node something stands that is counted: in no name, value or type."""


def _nodes(definition: Node) -> Iterator[Node]:
    """Yields every node of it that may be counted once, without recursion."""
    waiting: list[Node] = [definition]
    while waiting:
        node = waiting.pop()
        yield node
        for key in COUNTED_IN:
            inside = getattr(node, key, None)
            if isinstance(inside, Node):
                waiting.append(inside)
            elif inside:
                waiting.extend(inside)


def check_size(size: Size, operation: OperationDefinitionNode) -> None:
    """Raises `TooMuch`."""
    if size.depth > MAX_DEPTH:
        raise TooMuch(f"The document is {size.depth} fields deep; {MAX_DEPTH} are allowed.", operation)
    if size.total > MAX_COMPLEXITY:
        raise TooMuch(
            f"The answer could hold {size.complexity} values, and opens {size.pages} pages, which count "
            f"{PAGE_COMPLEXITY} each; {MAX_COMPLEXITY} are allowed in all: ask for fewer or smaller pages.",
            operation,
        )


class _Measure:
    """Sizes of the parts of one document. How deep introspection goes is bounded by a rule of the specification's."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, int | None] | None = None
    ) -> None:
        self.sizing: set[str] = set()
        self._schema = schema
        self._variables = variables
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._measured: dict[str, Size] = {}

    def operation(self, node: OperationDefinitionNode) -> Size:
        return self._selections(node.selection_set, self._schema.get_root_type(node.operation))

    def _selections(self, node: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Size:
        sizes = list(self._each(node, parent)) if node is not None else []
        return Size(
            max((size.depth for size in sizes), default=0),
            sum(size.complexity for size in sizes),
            sum(size.pages for size in sizes),
            sum(size.writes for size in sizes),
        )

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
            return Size(complexity=1 if node.alias else 0, pages=1 if node.name.value in INTROSPECTION else 0)
        field: GraphQLField | None = getattr(parent, "fields", {}).get(node.name.value)
        inside = self._selections(node.selection_set, get_named_type(field.type) if field else None)
        is_write = parent is not None and parent is self._schema.mutation_type
        own = MUTATION_COMPLEXITY if is_write else 1
        items = self._page_size(node, field)
        if items is None and node.name.value in COST_A_PAGE:
            return Size(1 + inside.depth, own + INNER_PAGE_COMPLEXITY, 1)
        if items is None:
            return Size(1 + inside.depth, own + inside.complexity, inside.pages, 1 if is_write else 0)
        return Size(1 + inside.depth, own + INNER_PAGE_COMPLEXITY + items * inside.complexity, 1 + inside.pages)

    def _page_size(self, node: FieldNode, field: GraphQLField | None) -> int | None:
        """Returns how many items a page answers with at the most; None for a field that is no page."""
        sizing = [name for name in PAGE_SIZES if field is not None and name in field.args]
        listing = [name for name in LISTS if field is not None and name in field.args]
        if field is None or not (sizing or listing):
            return None
        given = {each.name.value: each.value for each in node.arguments}
        if listing:
            return max(self._listed(given.get(each)) for each in listing)
        return max(self._items(name, given.get(name), field) for name in sizing) or DEFAULT_LIMIT

    def _listed(self, given: ValueNode | None) -> int:
        """Returns how many things an argument lists at the most; the specification makes a list of one that is none."""
        if isinstance(given, VariableNode):
            return self._asked(given) or 1
        return max(1, len(given.values)) if isinstance(given, ListValueNode) else 1

    def _items(self, name: str, given: ValueNode | None, field: GraphQLField) -> int:
        """Returns what one argument asks for; 0 when it says nothing."""
        default = field.args[name].default_value
        unsaid = default if isinstance(default, int) else 0
        if isinstance(given, VariableNode):
            asked = self._asked(given)
            return unsaid if asked is None else asked
        if given is None or isinstance(given, NullValueNode):
            return unsaid
        if not isinstance(given, IntValueNode):
            return MAX_LIMIT
        items = int(given.value)
        if not 1 <= items <= MAX_LIMIT:
            refused = bad_page_size(name)
            raise GraphQLError(refused.message, given, extensions={"code": refused.code})
        return items

    def _asked(self, given: VariableNode) -> int | None:
        """Returns what a variable asks for, None for nothing; what is no size is refused when it is executed."""
        name = given.name.value
        self.sizing.add(name)
        if self._variables is None:
            return MAX_LIMIT
        asked = self._variables.get(name)
        return None if asked is None else max(1, min(asked, MAX_LIMIT))
