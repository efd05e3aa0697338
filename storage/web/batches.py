"""Executing GraphQL so that what many items need is read for all of them at once.

A resolver that would read something for its item returns `later(read, …, of=key)` in its place. The executor goes on
with everything else, then calls each `read` once, with all the keys that were left with it, and completes those
fields; which may leave new ones, a level further down. So a document costs as many rounds of reads as its fields that
read stand within one another, and no number of items makes it more. Everything is synchronous: there is no event
loop, and a document without such fields is executed as graphql-core executes it.

    def resolve_relationship(person, info):
        return later(relationships, viewer_id, of=int(person.id))

What needs no resolver at all is read without the executor's steps (attributes.py).

graphql-core's own way to wait is awaitables, and costs a task of asyncio's for each field (ADR 011).
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from graphql import (
    ExecutionContext,
    FieldNode,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    is_non_null_type,
    located_error,
)
from graphql.execution.execute import get_field_def
from graphql.pyutils import Path

from storage.web.attributes import Attribute, Attributes, TooManyValues

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Read = Callable[..., Mapping[Hashable, object]]
"""Takes keys, and then what else was given with them; answers values by key, None where a key is missing. A value that
is an exception is the error of that key's fields; what it raises, of all."""


_PENDING = object()
"""Stands in an answer where a value is to come."""


class Later(msgspec.Struct, frozen=True):
    """A value to be read together with others: of the same `read` with equal `arguments`. `then` makes it the
    field's."""

    read: Read
    arguments: tuple[Hashable, ...]
    key: Hashable
    then: Callable[[object], object] | None


def later(
    read: Callable[..., Mapping[K, V]],
    *arguments: Hashable,
    of: K,
    then: Callable[..., object] | None = None,
) -> Later:
    """Returns what a resolver answers in place of `read([of], *arguments)[of]`, and what `then` makes of that.

    `then` is not asked about None.
    """
    return Later(cast(Read, read), arguments, of, then)


class _Place:
    """Where in an answer a value stands, and the place of what it stands in: an error goes up to one that may be null.

    `field_nodes` are None for an item of a list whose items may be null.
    """

    __slots__ = ("_container", "_field_nodes", "_key", "_parent_type", "holder", "path")

    def __init__(
        self,
        container: dict[str, object] | list[object],
        key: str | int,
        path: Path,
        holder: "_Place | None",
        *,
        parent_type: GraphQLObjectType | None = None,
        field_nodes: list[FieldNode] | None = None,
    ) -> None:
        self._container = container
        self._key = key
        self.path = path
        self.holder = holder
        self._parent_type = parent_type
        self._field_nodes = field_nodes

    def put(self, value: object) -> None:
        self._container[self._key] = value  # type: ignore[index]  # names of a dict, indices of a list

    def may_be_null(self, schema: GraphQLSchema) -> bool:
        if self._parent_type is None or self._field_nodes is None:
            return True
        field = get_field_def(schema, self._parent_type, self._field_nodes[0])
        return field is None or not is_non_null_type(field.type)


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    """A field whose value is to be read."""

    later: Later
    return_type: GraphQLOutputType
    field_nodes: list[FieldNode]
    info: GraphQLResolveInfo
    path: Path
    place: _Place


_Group = tuple[Read, tuple[Hashable, ...]]


class BatchingExecution(ExecutionContext):
    """Executes an operation whose resolvers may answer `later`: give it to `graphql.execute`.

    A context with `most_values` bounds how many fields are answered: one more raises `TooManyValues`.
    What was read is not read again for other fields of the operation; of a mutation, for other fields of one write.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._place: _Place | None = None
        most: int | None = getattr(self.context_value, "most_values", None)
        self._values_left: float = math.inf if most is None else most
        self._attributes = Attributes(self, Later)
        self._waiting: list[_Waiting] = []
        self._known: dict[_Group, dict[Hashable, object]] = {}

    def execute_operation(self, operation: OperationDefinitionNode, root_value: Any) -> Any:
        data = super().execute_operation(operation, root_value)
        self._read_waiting()
        return data

    def execute_fields(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, fields: dict[str, list[FieldNode]]
    ) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for response_name, field_nodes in fields.items():
            self._put_field(results, response_name, parent_type, source_value, path, field_nodes)
        return results

    def execute_fields_serially(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, fields: dict[str, list[FieldNode]]
    ) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for response_name, field_nodes in fields.items():
            self._put_field(results, response_name, parent_type, source_value, path, field_nodes)
            self._read_waiting()
            self._known.clear()
        return results

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: Any,
    ) -> Any:
        if type(result) is not Later:
            return super().complete_value(return_type, field_nodes, info, path, result)
        assert self._place is not None  # noqa: S101 - a field is in the making
        self._waiting.append(_Waiting(result, return_type, field_nodes, info, path, self._place))
        return _PENDING

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: Any,
    ) -> Any:
        if is_non_null_type(return_type.of_type) or not isinstance(result, list | tuple):
            return super().complete_list_value(return_type, field_nodes, info, path, result)
        completed: list[Any] = []
        holder = self._place
        for index, item in enumerate(result):
            item_path = path.add_key(index, None)
            completed.append(None)
            self._place = place = _Place(completed, index, item_path, holder)
            try:
                place.put(self.complete_value(return_type.of_type, field_nodes, info, item_path, item))
            except Exception as error:
                self._fail(place, field_nodes, item_path, error)
        self._place = holder
        return completed

    def _put_field(  # noqa: PLR0917 - as graphql-core gives them
        self,
        results: dict[str, Any],
        response_name: str,
        parent_type: GraphQLObjectType,
        source: Any,
        path: Path | None,
        field_nodes: list[FieldNode],
    ) -> None:
        attribute = self._attributes.of(parent_type, field_nodes)
        if attribute is not None and self._was_read(results, response_name, attribute, source):
            return
        self._values_left -= 1
        if self._values_left < 0:
            raise TooManyValues
        holder, field_path = self._place, Path(path, response_name, parent_type.name)
        self._place = _Place(
            results, response_name, field_path, holder, parent_type=parent_type, field_nodes=field_nodes
        )
        try:
            value = self.execute_field(parent_type, source, field_nodes, field_path)
        finally:
            self._place = holder
        if value is not Undefined:
            results[response_name] = value

    def _was_read(self, results: dict[str, Any], response_name: str, attribute: Attribute, source: object) -> bool:
        try:
            results[response_name], values = self._attributes.read(attribute, source, self._values_left)
        except Exception:
            return False
        self._values_left -= values
        return True

    def _read_waiting(self) -> None:
        """Reads and completes until no field waits. Raises the error of a field up to which nothing may be null."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            wanted: dict[_Group, dict[Hashable, None]] = {}
            for each in waiting:
                wanted.setdefault((each.later.read, each.later.arguments), {})[each.later.key] = None
            for group, keys in wanted.items():
                self._look_up(group, list(keys))
            for each in waiting:
                self._complete(each)

    def _look_up(self, group: _Group, keys: Sequence[Hashable]) -> None:
        known = self._known.setdefault(group, {})
        missing = [key for key in keys if key not in known]
        if not missing:
            return
        read, arguments = group
        known.update(dict.fromkeys(missing))
        try:
            known.update(read(missing, *arguments))
        except Exception as error:
            known.update(dict.fromkeys(missing, error))

    def _complete(self, each: _Waiting) -> None:
        value = self._known[each.later.read, each.later.arguments].get(each.later.key)
        if isinstance(value, Exception):
            self._fail(each.place, each.field_nodes, each.path, value)
            return
        self._place = each.place
        try:
            if value is not None and each.later.then is not None:
                value = each.later.then(value)
            each.place.put(self.complete_value(each.return_type, each.field_nodes, each.info, each.path, value))
        except Exception as error:
            self._fail(each.place, each.field_nodes, each.path, error)
        finally:
            self._place = None

    def _fail(self, place: _Place, field_nodes: list[FieldNode], path: Path, raw: Exception) -> None:
        """Puts null where it may stand, nearest to the place. Raises the error if that is nowhere."""
        error = located_error(raw, field_nodes, path.as_list())
        nulled: _Place | None = place
        while nulled is not None and not nulled.may_be_null(self.schema):
            nulled = nulled.holder
        if nulled is None:
            raise error
        nulled.put(None)
        self.collected_errors.add(error, nulled.path)
