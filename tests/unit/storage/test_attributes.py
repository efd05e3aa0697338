"""What is read as attributes: the same answers as graphql-core's own, and of plain structures not by its steps."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import graphene
import pytest
from graphql import ExecutionContext, FieldNode, GraphQLObjectType, execute, parse
from graphql.pyutils import Path

from storage.web.attributes import TooManyValues
from storage.web.batches import BatchingExecution, later


class Inner(graphene.ObjectType):
    number = graphene.Int(required=True)
    text = graphene.String()


class Thing(graphene.ObjectType):
    id = graphene.ID(required=True)
    name = graphene.String()
    count = graphene.Int()
    sure = graphene.Boolean(required=True)
    size = graphene.Float()
    ends = graphene.List(graphene.NonNull(graphene.Int), required=True)
    tags = graphene.List(graphene.String)
    inner = graphene.Field(Inner)
    inners = graphene.List(graphene.NonNull(Inner), required=True)
    some = graphene.List(Inner)
    told = graphene.String(default_value="by default")
    made = graphene.String()

    @staticmethod
    def resolve_made(thing: Any, _info: object) -> str:
        return f"made of {thing.name}"


class Query(graphene.ObjectType):
    things = graphene.List(Thing)

    @staticmethod
    def resolve_things(root: Any, _info: object) -> Any:
        return root


SCHEMA = graphene.Schema(query=Query).graphql_schema
PLAIN = """
__typename id name count sure ends tags told
inner { __typename number text } inners { n: number ...T } some { text } ... on Thing { again: id }
"""
FRAGMENT = "fragment T on Inner { text more: number @skip(if: true) }"
INNER = SimpleNamespace(number=7, text="seven")
ORDINARY: Mapping[str, object] = {
    "id": "1",
    "name": "one",
    "count": -3,
    "sure": True,
    "ends": [0, 2**31 - 1],
    "tags": ("a", None),
    "inner": INNER,
    "inners": [INNER, INNER],
    "some": [None, INNER],
}


class Steps(BatchingExecution):
    """Remembers which fields were executed by graphql-core's own steps."""

    taken: list[str]

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        self.taken.append(field_nodes[0].name.value)
        return super().execute_field(parent_type, source, field_nodes, path)


class Bounded:
    def __init__(self, most_values: int) -> None:
        self.most_values = most_values


class Raising(SimpleNamespace):
    @property
    def name(self) -> str:
        raise ValueError("no name")


def executed(fields: str, *things: object, by: type[ExecutionContext] = BatchingExecution, most: int = 1_000) -> Any:
    document = parse(f"{{ things {{ {fields} }} }} {FRAGMENT if '...T' in fields else ''}")
    context = Bounded(most)
    return execute(SCHEMA, document, root_value=list(things), context_value=context, execution_context_class=by)


def steps_of(fields: str, *things: object) -> list[str]:
    Steps.taken = []
    executed(fields, *things, by=Steps)
    return Steps.taken


def told(result: Any) -> object:
    return repr(result.data), [(each.message, each.path, each.locations) for each in result.errors or []]


def thing(**values: object) -> SimpleNamespace:
    return SimpleNamespace(**{**ORDINARY, **values})


def test_of_a_plain_structure_only_what_holds_it_takes_steps() -> None:
    result = executed(PLAIN, thing(), thing())
    assert result.errors is None
    assert told(result) == told(executed(PLAIN, thing(), thing(), by=ExecutionContext))
    assert steps_of(PLAIN, thing(), thing()) == ["things"]


def test_beside_a_resolver_the_rest_is_read_all_the_same() -> None:
    assert steps_of("id made inner { number }", thing()) == ["things", "made"]
    assert executed("id made inner { number }", thing()).data == {
        "things": [{"id": "1", "made": "made of one", "inner": {"number": 7}}]
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5),
        ("id", None),
        ("name", 5),
        ("name", ValueError("broken")),
        ("count", 2**31),
        ("count", True),
        ("count", "12"),
        ("count", "twelve"),
        ("sure", 1),
        ("sure", None),
        ("ends", None),
        ("ends", [1, None]),
        ("ends", 5),
        ("ends", range(2)),
        ("tags", ["a", 5]),
        ("tags", "text"),
        ("inner", None),
        ("inner", {"number": 1, "text": "of a dict"}),
        ("inner", SimpleNamespace(number=None, text="x")),
        ("inner", SimpleNamespace(text="x")),
        ("inner", ValueError("broken")),
        ("inners", [INNER, None]),
        ("inners", [INNER, ValueError("broken")]),
        ("some", [ValueError("broken"), INNER]),
        ("told", None),
        ("told", "by itself"),
    ],
)
def test_whatever_stands_there_is_answered_as_graphql_core_answers_it(field: str, value: object) -> None:
    things = [thing(), thing(**{field: value}), thing()]
    assert told(executed(PLAIN, *things)) == told(executed(PLAIN, *things, by=ExecutionContext))


def test_a_property_that_raises_is_the_error_of_its_field() -> None:
    raising = Raising(**{name: value for name, value in ORDINARY.items() if name != "name"})
    assert told(executed(PLAIN, raising)) == told(executed(PLAIN, raising, by=ExecutionContext))
    assert executed(PLAIN, raising).errors[0].path == ["things", 0, "name"]


def test_what_is_to_be_read_later_is_read_there_too() -> None:
    lazy = later(lambda keys: dict.fromkeys(keys, INNER), of=1)
    assert executed("inner { text } inners { text }", thing(inner=lazy, inners=[INNER])).data == {
        "things": [{"inner": {"text": "seven"}, "inners": [{"text": "seven"}]}]
    }


def test_its_values_are_counted_where_they_are_read() -> None:
    fields = "id ends inners { number text }"
    assert executed(fields, thing(), most=1 + 3 + 2 * 2).errors is None
    with pytest.raises(TooManyValues):
        executed(fields, thing(), most=1 + 3 + 2 * 2 - 1)
