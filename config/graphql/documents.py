"""From a text to a document that may be executed: bounded, parsed, bounded again, and only then validated.

Some of the specification's rules take the square of what they are given (bounds.py says of what).
Where introspection is off, no message suggests a name that the client did not write.
"""

import re
from collections.abc import Callable, Mapping
from threading import Lock

import msgspec
from cachetools import LRUCache
from django.conf import settings
from graphql import (
    BREAK,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    Visitor,
    VisitorAction,
    get_operation_ast,
    is_non_null_type,
    parse,
    validate,
    visit,
)
from graphql.validation import ValidationContext

from accounts.doors.graphql_accounts import TOKEN_FIELDS
from config.graphql.bounds import Bounded, Size, check_bounds, check_size, measured
from config.graphql.scanning import MAX_TOKENS, TooMuch, check_text
from config.graphql.schema import schema

MAX_ERRORS = 20
"""Mistakes listed of one document, or of its variables."""
DOCUMENTS_KEPT = 128
"""Parsed and validated documents kept in memory; clients send the same few again and again. At most 0.5 MB each."""
TOKENS_A_REQUEST = 50
"""Of a text that is not known: to refuse it costs less than so many ordinary pages."""
SIZES_KEPT = 64
"""Of each document."""

_SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)


CountMore = Callable[[int], None]
"""Counts so many requests more at the rate limits of who asks; raises beyond them."""


class Invalid(Exception):
    """The request was refused; nothing of it runs. Its errors are the client's, and say by a code what is wrong."""

    def __init__(self, errors: list[GraphQLError], *, status: int = 400) -> None:
        super().__init__()
        self.errors = errors
        self.status = status


class CheckedDocument(msgspec.Struct, frozen=True, eq=False):
    """A valid document, and of each of its operations the variables that must not be null.

    Those are declared nullable with a default, but stand where null may not: the specification
    notices it when a field is about to be executed, and then others may have been.
    """

    text: str
    node: DocumentNode
    never_null: Mapping[str, frozenset[str]]
    """By the operation's name, "" for one without."""
    bounds: Mapping[str, Bounded]
    """By the operation's name, as well."""
    _sizes: dict[tuple[str, tuple[int | None, ...]], Size] = msgspec.field(default_factory=dict)
    """Of operations whose variables say how many, for what they were asked for."""

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Returns the operation to execute. Raises `Invalid` when there is no such one, or it is not clear which."""
        found = get_operation_ast(self.node, name)
        if found is None:
            wanted = "Say by operationName which of the operations to execute." if name is None else None
            message = wanted or f"There is no operation named '{name}' in the document."
            raise Invalid([GraphQLError(message, extensions={"code": "bad_operation"})])
        return found

    def size(self, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> Size:
        """Returns how large the operation is with these variables, coerced. Raises `Invalid` for one that is too large.

        Costs a measuring if variables say how many items a page has and the largest would not be an ordinary page;
        nothing for what was asked for lately.
        """
        name = name_of(operation)
        bounded = self.bounds[name]
        if not bounded.sizing or bounded.largest.requests == 1:
            return bounded.largest
        sizes = {each: _how_many(variables.get(each)) for each in sorted(bounded.sizing)}
        key = (name, tuple(sizes.values()))
        size = self._sizes.get(key)
        if size is None:
            size = measured(schema.graphql_schema, self.node, operation, sizes)
            if len(self._sizes) >= SIZES_KEPT:
                self._sizes.clear()
            self._sizes[key] = size
        try:
            check_size(size, operation)
        except TooMuch as error:
            raise Invalid([error]) from error
        return size


def _how_many(value: object) -> int | None:
    """What a variable asks for as a page's size, or as a list; None if it is neither."""
    return value if isinstance(value, int) else len(value) if isinstance(value, list) else None


def is_write(operation: OperationDefinitionNode) -> bool:
    """Returns whether it changes anything."""
    return operation.operation is OperationType.MUTATION


def may_write(document: CheckedDocument) -> bool:
    """Returns whether one of its operations changes anything."""
    return any(map(is_write, _operations(document.node)))


def holds_texts(document: CheckedDocument) -> bool:
    """Returns whether texts are written into it, in place of variables. Costs a walk through the document."""
    finder = _Texts()
    visit(document.node, finder)
    return finder.found


class _Texts(Visitor):
    found = False

    def enter_string_value(self, *_: object) -> VisitorAction:
        self.found = True
        return BREAK


def answers_a_token(document: CheckedDocument, operation: OperationDefinitionNode) -> bool:
    """Returns whether one of the operation's fields answers a token. Costs a walk through the document."""
    fragments = {
        each.name.value: each for each in document.node.definitions if isinstance(each, FragmentDefinitionNode)
    }
    waiting, spread = [operation.selection_set], set[str]()
    while waiting:
        for each in waiting.pop().selections:
            if isinstance(each, FieldNode):
                if each.name.value in TOKEN_FIELDS:
                    return True
            elif isinstance(each, InlineFragmentNode):
                waiting.append(each.selection_set)
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in spread:
                spread.add(each.name.value)
                waiting.append(fragments[each.name.value].selection_set)
    return False


def checked_document(query: str, *, count_more: CountMore = lambda _: None) -> CheckedDocument:
    """Returns what the text says. Raises `Invalid` with what is wrong; what is wrong is not kept.

    To read a text that is not known takes long: before that is done, `count_more` is told how many requests it counts
    as besides the one, for each TOKENS_A_REQUEST one, and may raise.
    """
    text, introspection = query.rstrip(), has_introspection()
    with _keeping:
        known = _kept.get((text, introspection))
    if known is None:
        known = _checked(text, introspection=introspection, count_more=count_more)
        with _keeping:
            _kept[text, introspection] = known
    return known


_kept: LRUCache[tuple[str, bool], CheckedDocument] = LRUCache(DOCUMENTS_KEPT)
_keeping = Lock()


def has_introspection() -> bool:
    """Returns whether clients may ask for the schema, and be told names that they did not write."""
    chosen: bool | None = settings.GRAPHQL_INTROSPECTION
    return not settings.PRODUCTION if chosen is None else chosen


def _checked(query: str, *, introspection: bool, count_more: CountMore) -> CheckedDocument:
    try:
        count_more(check_text(query) // TOKENS_A_REQUEST)
        document = parse(query, max_tokens=MAX_TOKENS)
        bounds = check_bounds(schema.graphql_schema, document, introspection=introspection)
        errors = validate(schema.graphql_schema, document, max_errors=MAX_ERRORS, hide_suggestions=not introspection)
    except GraphQLError as error:
        # One of the rules raises what it finds: of a subscription's root it knows no variables.
        raise Invalid([_refusal(error if introspection else _without_suggestion(error))]) from error
    except RecursionError as error:
        raise Invalid([_refusal(GraphQLError("The document is nested too deeply."))]) from error
    if errors:
        raise Invalid([_refusal(error if introspection else _without_suggestion(error)) for error in errors])
    by_name = {name_of(operation): bounded for operation, bounded in bounds}
    never_null = {name_of(operation): _never_null(document, operation) for operation in _operations(document)}
    return CheckedDocument(query, document, never_null, by_name)


def _refusal(error: GraphQLError) -> GraphQLError:
    error.extensions = {"code": "bad_query", **(error.extensions or {})}
    return error


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    """One of the rules suggests a name itself."""
    error.message = _SUGGESTION.sub("", error.message)
    return error


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]


def name_of(operation: OperationDefinitionNode) -> str:
    """Returns the operation's name, "" for one without."""
    return operation.name.value if operation.name is not None else ""


def _never_null(document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[str]:
    """Costs a walk through the document if the operation declares a variable that may be one, nothing otherwise."""
    suspects = {
        each.variable.name.value
        for each in operation.variable_definitions or ()
        if each.default_value is not None and not isinstance(each.type, NonNullTypeNode)
    }
    if not suspects:
        return frozenset()
    context = ValidationContext(schema.graphql_schema, document, TypeInfo(schema.graphql_schema), lambda _error: None)
    usages = context.get_recursive_variable_usages(operation)
    return frozenset(suspects) & {
        usage.node.name.value for usage in usages if usage.type and is_non_null_type(usage.type)
    }
