"""The shape of an output, read from each door in the same terms: names, nullability, lists, nesting."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
)
from msgspec import inspect
from rest_framework import serializers

from tweets.doors.documents import TweetDocument, TweetInTweet

SCALARS = {"CharField": "text", "URLField": "text", "EmailField": "text", "DateTimeField": "text"} | {
    "IntegerField": "number",
    "BooleanField": "flag",
    "String": "text",
    "ID": "text",
    "Int": "number",
    "Boolean": "flag",
    "StrType": "text",
    "IntType": "number",
    "BoolType": "flag",
}
"""What each way of describing a value calls it."""


HOLDING_PAGES = ("thread",)
"""Fields of GraphQL types without arguments, in which there are some that have pages."""


class Shape(NamedTuple):
    """One value: whether it may be null, whether it is a list, and what it, or each in it, is."""

    nullable: bool
    is_list: bool
    value: Any
    """A word of SCALARS, or what `fields` of the same door takes."""


Fields = dict[str, Shape]


def struct_fields(struct: Any) -> Fields:
    """The fields of a msgspec struct, as clients see it in JSON."""
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    return {field.encode_name: _struct_shape(field.type) for field in described.fields}


def _struct_shape(described: inspect.Type) -> Shape:
    if isinstance(described, inspect.UnionType):
        [inner] = [each for each in described.types if not isinstance(each, inspect.NoneType)]
        return _struct_shape(inner)._replace(nullable=True)
    if isinstance(described, inspect.VarTupleType):
        return _struct_shape(described.item_type)._replace(is_list=True)
    if isinstance(described, inspect.TupleType):
        [item] = {_struct_shape(each) for each in described.item_types}
        return item._replace(is_list=True)
    if isinstance(described, inspect.StructType):
        return Shape(False, False, described.cls)
    return Shape(False, False, SCALARS[type(described).__name__])


def document_fields(serializer: type[serializers.Serializer[Any]]) -> Fields:
    """The fields of a serializer, as the OpenAPI document describes it."""
    return {name: _document_shape(field) for name, field in serializer().fields.items()}


def _document_shape(field: Any) -> Shape:
    if isinstance(field, TweetInTweet):
        return Shape(True, False, TweetDocument)
    if isinstance(field, serializers.ListSerializer | serializers.ListField):
        return _document_shape(field.child)._replace(is_list=True, nullable=field.allow_null)
    is_object = isinstance(field, serializers.Serializer)
    return Shape(field.allow_null, False, type(field) if is_object else SCALARS[type(field).__name__])


def graphql_fields(described: GraphQLObjectType) -> Fields:
    """The fields of a type of the GraphQL schema, without lists that have pages and what holds such."""
    fields: dict[str, GraphQLField] = described.fields
    plain = {name: field for name, field in fields.items() if not field.args and name not in HOLDING_PAGES}
    return {name: _graphql_shape(field.type) for name, field in plain.items()}


def _graphql_shape(described: GraphQLOutputType) -> Shape:
    if isinstance(described, GraphQLNonNull):
        return _graphql_shape(described.of_type)._replace(nullable=False)
    if isinstance(described, GraphQLList):
        return _graphql_shape(described.of_type)._replace(nullable=True, is_list=True)
    return Shape(True, False, SCALARS[described.name] if isinstance(described, GraphQLScalarType) else described)


def differences(struct: Any, door: Any, read: Callable[[Any], Fields], rename: Callable[[str], str] = str) -> list[str]:
    """Where the door's description differs from the struct's shape, at any depth; a pair is looked at once."""
    found: list[str] = []
    pairs, seen = [("", struct, door)], set[Any]()
    while pairs:
        path, one, other = pairs.pop()
        if (one, other) in seen:
            continue
        seen.add((one, other))
        promised = {rename(name): shape for name, shape in struct_fields(one).items()}
        described = read(other)
        found += [f"{path}.{name} is on one side only" for name in promised.keys() ^ described.keys()]
        for name in promised.keys() & described.keys():
            here, there = promised[name], described[name]
            is_nested = _is_struct(here.value) and not isinstance(there.value, str)
            if here[:2] != there[:2] or not (is_nested or there.value == here.value):
                found.append(f"{path}.{name} is {here}, but described as {there}")
            elif is_nested:
                pairs.append((f"{path}.{name}", here.value, there.value))
    return sorted(found)


def _is_struct(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, msgspec.Struct)


def stray_values(struct: Any, shown: Any, rename: Callable[[str], str] = str, path: str = "") -> list[str]:
    """Where a rendered object is not of the struct's shape."""
    promised = {rename(name): shape for name, shape in struct_fields(struct).items()}
    found = [f"{path}.{name} is on one side only" for name in promised.keys() ^ shown.keys()]
    for name in promised.keys() & shown.keys():
        shape, value = promised[name], shown[name]
        found += _stray(shape, value, rename, f"{path}.{name}")
    return found


def _stray(shape: Shape, value: Any, rename: Callable[[str], str], path: str) -> list[str]:
    if value is None:
        return [] if shape.nullable else [f"{path} is null"]
    if shape.is_list:
        one = shape._replace(is_list=False, nullable=False)
        return [each for item in value for each in _stray(one, item, rename, path)]
    if _is_struct(shape.value):
        return stray_values(shape.value, value, rename, path)
    return [] if type(value) is {"text": str, "number": int, "flag": bool}[shape.value] else [f"{path} is {value!r}"]
