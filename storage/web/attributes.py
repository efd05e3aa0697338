"""The parts of a GraphQL answer that are attributes of what resolvers returned, read without graphql-core's machinery.

Most of a page is this: structures within structures that hydration made, of whose fields none has a resolver or
arguments. graphql-core takes some twenty steps for each such value (a path, a resolver's info, arguments, completion
by type), which were half of a page's time. Here such a part of a document is looked at once, and then read in a loop.

Only what goes well is done here: values of exactly the types that a field is of, which graphql-core would answer as
they are. At anything else (null where it may not stand, a number too large, what is to be converted, a property that
raises) the whole part is left to graphql-core, so that its rules of nulls and errors are written nowhere else.
"""

from functools import partial
from typing import Any

import msgspec
from graphene.types.resolver import dict_or_attr_resolver
from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    ExecutionContext,
    FieldNode,
    GraphQLBoolean,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    is_list_type,
    is_object_type,
)
from graphql.execution.execute import get_field_def

EXACT: dict[str, type] = {GraphQLBoolean.name: bool, GraphQLID.name: str, GraphQLString.name: str}
"""Of scalars whose values are answered as they are, what those are."""


class TooManyValues(BaseException):
    """An answer has grown past what its document may cost. Past every `except Exception` of the executor: it ends."""


class Missed(Exception):
    """Something is not as plain as it looked."""


class _Kind(msgspec.Struct, frozen=True, eq=False):
    """A field's type: of a scalar what its values are, of an object its fields, of a list its items."""

    may_be_null: bool
    exact: type | None = None
    is_int: bool = False
    fields: "list[Attribute] | None" = None
    items: "_Kind | None" = None


class Attribute(msgspec.Struct, frozen=True, eq=False):
    """A field: its name in the answer and where its value is; or what it always is."""

    name: str
    kind: _Kind
    attribute: str = ""
    default: object = None
    always: str | None = None


class Attributes:
    """Which fields of one execution can be read so; `unreadable` are types whose attributes are no fields' values."""

    def __init__(self, execution: ExecutionContext, *unreadable: type) -> None:
        self._execution = execution
        self._unreadable = (*unreadable, dict, BaseException)
        self._looked_at: dict[tuple[str, int], Attribute | None] = {}
        self._fields_of: dict[int, list[Attribute] | None] = {}

    def of(self, parent: GraphQLObjectType, nodes: list[FieldNode]) -> Attribute | None:
        """Returns how the field is read; None if graphql-core has to. `nodes` are a list that the execution keeps."""
        key = (parent.name, id(nodes))
        if key not in self._looked_at:
            self._looked_at[key] = self._attribute(parent, "", nodes)
        return self._looked_at[key]

    def read(self, field: Attribute, source: object, most: float) -> tuple[object, int]:
        """Returns the field's value and how many fields that are, itself among them.

        Raises `TooManyValues` for more than `most`; anything else that it raises means that graphql-core has to do it.
        """
        reading = _Reading(self._unreadable, most)
        return reading.structure([field], source)[field.name], reading.count

    def _attribute(self, parent: GraphQLObjectType, name: str, nodes: list[FieldNode]) -> Attribute | None:
        if nodes[0].name.value == "__typename":
            return Attribute(name, _Kind(may_be_null=False, exact=str), always=parent.name)
        field = get_field_def(self._execution.schema, parent, nodes[0])
        resolve = field.resolve if field else None
        if not field or field.args or not isinstance(resolve, partial) or resolve.func is not dict_or_attr_resolver:
            return None
        kind = self._kind(field.type, nodes)
        attribute, default = resolve.args
        return None if kind is None else Attribute(name, kind, attribute, default)

    def _kind(self, of: GraphQLOutputType, nodes: list[FieldNode]) -> _Kind | None:
        may_be_null = not isinstance(of, GraphQLNonNull)
        inner: Any = of.of_type if isinstance(of, GraphQLNonNull) else of
        if is_list_type(inner):
            items = self._kind(inner.of_type, nodes)
            return _Kind(may_be_null, items=items) if items is not None else None
        if is_object_type(inner):
            fields = self._fields(inner, nodes)
            return _Kind(may_be_null, fields=fields) if fields is not None else None
        if inner.name == GraphQLInt.name:
            return _Kind(may_be_null, is_int=True)
        return _Kind(may_be_null, exact=EXACT[inner.name]) if inner.name in EXACT else None

    def _fields(self, of: GraphQLObjectType, nodes: list[FieldNode]) -> list[Attribute] | None:
        """None if one of them is not read so."""
        if of.is_type_of:
            return None
        inner = self._execution.collect_subfields(of, nodes)
        if id(inner) not in self._fields_of:
            found = [self._attribute(of, name, each) for name, each in inner.items()]
            known = [each for each in found if each is not None]
            self._fields_of[id(inner)] = known if len(known) == len(found) else None
        return self._fields_of[id(inner)]


class _Reading:
    """The reading of one value, and how many fields it has come to."""

    __slots__ = ("_most", "_unreadable", "count")

    def __init__(self, unreadable: tuple[type, ...], most: float) -> None:
        self._unreadable = unreadable
        self._most = most
        self.count = 0

    def structure(self, fields: list[Attribute], source: object) -> dict[str, object]:
        if isinstance(source, self._unreadable):
            raise Missed
        self.count += len(fields)
        if self.count > self._most:
            raise TooManyValues
        made: dict[str, object] = {}
        for each in fields:
            value = getattr(source, each.attribute, each.default) if each.always is None else each.always
            made[each.name] = value if type(value) is each.kind.exact else self._completed(each.kind, value)
        return made

    def _completed(self, kind: _Kind, value: object) -> object:
        if type(value) is kind.exact:
            return value
        if value is None:
            if kind.may_be_null:
                return None
        elif kind.fields is not None:
            return self.structure(kind.fields, value)
        elif kind.items is not None and isinstance(value, list | tuple):
            return [self._completed(kind.items, each) for each in value]
        elif kind.is_int and type(value) is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT:
            return value
        raise Missed
