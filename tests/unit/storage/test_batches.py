"""Executing GraphQL level by level: as graphql-core does it, but that what many items need is read once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from graphql import ExecutionContext, GraphQLObjectType, GraphQLSchema, build_schema, execute, parse

from storage.web.batches import BatchingExecution, Later, later

SCHEMA = build_schema("""
type Query { one: Item! maybe: Item items: [Item!]! some: [Item] }
type Mutation { write: Item! again: Item }
type Item {
  id: Int!
  name: String!
  note: String
  next: Item
  sure: Item!
  nearby(count: Int = 2): [Item!]!
  gone: Int!
  plain: Int
}
""")
Reads = list[tuple[str, list[int]]]


class Items:
    """Resolvers over numbers: of what is in `broken` every reading fails, of `missing` there is nothing."""

    def __init__(self, *, broken: Sequence[int] = (), missing: Sequence[int] = (), batched: bool = True) -> None:
        self.reads: Reads = []
        self.broken, self.missing, self.batched = set(broken), set(missing), batched

    def execute(self, query: str) -> Any:
        resolvers: dict[str, dict[str, Callable[..., Any]]] = {
            "Query": {"one": lambda *_: 1, "maybe": lambda *_: 1, "items": lambda *_: [1, 2, 3], "some": self._some},
            "Mutation": {"write": lambda *_: 1, "again": lambda *_: 1},
            "Item": {
                "id": lambda number, _: number,
                "plain": lambda number, _: self._plain(number),
                "name": lambda number, _: self._later(self._names, number),
                "note": lambda number, _: self._later(self._names, number),
                "next": lambda number, _: self._later(self._following, number),
                "sure": lambda number, _: self._later(self._following, number),
                "nearby": lambda number, _, count: self._later(self._nearby, number, count),
                "gone": lambda number, _: None,
            },
        }
        for name, fields in resolvers.items():
            found: Any = SCHEMA.get_type(name)
            assert isinstance(found, GraphQLObjectType)
            for field, resolve in fields.items():
                found.fields[field].resolve = resolve
        return self._executed(SCHEMA, query)

    def _executed(self, schema: GraphQLSchema, query: str) -> Any:
        context = BatchingExecution if self.batched else ExecutionContext
        return execute(schema, parse(query), execution_context_class=context)

    def _later(self, read: Callable[..., Mapping[int, Any]], number: int, *arguments: int) -> Any:
        if self.batched:
            return later(read, *arguments, of=number)
        found = read([number], *arguments).get(number)
        if isinstance(found, Exception):
            raise found
        return found

    def _plain(self, number: int) -> int:
        if number in self.broken:
            raise ValueError("plain")
        return number

    def _some(self, *_: object) -> list[int | None]:
        return [1, None, 2]

    def _read(self, name: str, numbers: Sequence[int], make: Callable[[int], Any]) -> dict[int, Any]:
        self.reads.append((name, sorted(numbers)))
        return {
            each: ValueError("broken") if each in self.broken else make(each)
            for each in numbers
            if each not in self.missing
        }

    def _names(self, numbers: Sequence[int]) -> dict[int, Any]:
        return self._read("names", numbers, str)

    def _following(self, numbers: Sequence[int]) -> dict[int, Any]:
        return self._read("following", numbers, lambda each: each + 10)

    def _nearby(self, numbers: Sequence[int], count: int) -> dict[int, Any]:
        return self._read(f"nearby {count}", numbers, lambda each: [each + 1 + step for step in range(count)])


def answer(result: Any) -> Any:
    return result.data, [(each.message, each.path) for each in result.errors or []]


def test_one_read_for_all_items_at_each_level() -> None:
    items = Items()
    data = items.execute("{ items { id name next { name next { id } } nearby { name } } }").data
    assert data["items"][0] == {
        "id": 1,
        "name": "1",
        "next": {"name": "11", "next": {"id": 21}},
        "nearby": [{"name": "2"}, {"name": "3"}],
    }
    assert items.reads == [
        ("names", [1, 2, 3]),
        ("following", [1, 2, 3]),
        ("nearby 2", [1, 2, 3]),
        ("names", [4, 5, 11, 12, 13]),
        ("following", [11, 12, 13]),
    ]


def test_other_arguments_are_another_read_and_aliases_share_one() -> None:
    items = Items()
    items.execute("{ one { a: nearby { id } b: nearby(count: 1) { id } c: nearby(count: 2) { id } } }")
    assert items.reads == [("nearby 2", [1]), ("nearby 1", [1])]


def test_what_is_left_out_is_not_read() -> None:
    items = Items()
    items.execute("{ items { id name @include(if: false) ...F @skip(if: true) } } fragment F on Item { note }")
    assert items.reads == []


def test_a_write_is_whole_before_the_next_begins_and_nothing_is_remembered() -> None:
    items = Items()
    assert items.execute("mutation { a: write { name } b: write { name note } }").data == {
        "a": {"name": "1"},
        "b": {"name": "1", "note": "1"},
    }
    assert items.reads == [("names", [1]), ("names", [1])]


def test_fields_stand_in_the_order_in_which_they_were_asked_for() -> None:
    data = Items().execute("{ one { note id next { name id } plain } }").data
    assert list(data["one"]) == ["note", "id", "next", "plain"]
    assert list(data["one"]["next"]) == ["name", "id"]


def test_a_read_that_fails_is_the_error_of_each_of_its_fields() -> None:
    items = Items()
    items._names = lambda numbers: 1 / 0  # type: ignore[assignment, return-value, method-assign]
    data, errors = answer(items.execute("{ some { id note } }"))
    assert data == {"some": [{"id": 1, "note": None}, None, {"id": 2, "note": None}]}
    assert [path for _, path in errors] == [["some", 0, "note"], ["some", 2, "note"]]


def test_what_then_answers_may_be_read_again() -> None:
    def doubled(numbers: Sequence[int]) -> dict[int, int]:
        return {each: each * 2 for each in numbers}

    items = Items()
    items._later = lambda *_: later(doubled, of=1, then=lambda two: later(doubled, of=two, then=str))  # type: ignore[method-assign]
    assert items.execute("{ one { name } }").data == {"one": {"name": "4"}}
    assert isinstance(later(doubled, of=1), Later)


@pytest.mark.parametrize(
    "query",
    [
        "{ maybe { name } }",
        "{ one { name } }",
        "{ one { next { name id } } }",
        "{ one { next { sure { name } } note } }",
        "{ one { sure { sure { name } } } }",
        "{ items { id note } }",
        "{ items { id name } }",
        "{ items { next { nearby { name } } } }",
        "{ some { id name plain } }",
        "{ some { sure { name } } }",
        "{ maybe { gone } one { name } }",
        "{ some { next { gone } note } }",
        "mutation { again { name } write { next { name } } }",
        "mutation { write { name } }",
    ],
)
@pytest.mark.parametrize("broken", [[], [1], [2], [11], [3, 12], [21]])
@pytest.mark.parametrize("missing", [[], [1], [12], [11]])
def test_nulls_stand_where_graphql_core_puts_them(query: str, broken: list[int], missing: list[int]) -> None:
    """Compared with reading one by one, as it executes by itself: the same data, and errors of what is null."""
    together, alone = (Items(broken=broken, missing=missing, batched=each).execute(query) for each in (True, False))
    assert together.data == alone.data
    assert bool(together.errors) == bool(alone.errors)
    for result in (together, alone):
        for error in result.errors or []:
            assert is_null_at(result.data, error.path), error


def is_null_at(data: Any, path: list[str | int]) -> bool:
    """Whether there is null at the path, or where it leads through."""
    for step in path:
        if data is None:
            return True
        data = data[step]
    return data is None
