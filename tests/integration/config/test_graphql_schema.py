"""The GraphQL schema as clients read it: described everywhere, and nothing taken away that was released."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    BreakingChangeType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
)

from config.graphql.schema import schema

RELEASED = Path(__file__).parents[2] / "released" / "schema.graphql"
"""A copy of schema.graphql as of the last release; replaced when the next one is made."""
DELIBERATE = {"Mutation.createTweet changed type from CreateTweet! to CreateTweet."}
"""Changed on purpose, as CHANGELOG.md says: one refused write nulled what the others of a document had answered."""
SCHEMA = schema.graphql_schema
ROOTS = {SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type}


def undescribed() -> Iterator[str]:
    """Every type, field and argument that says nothing of itself; the roots need not."""
    for name, described in SCHEMA.type_map.items():
        if is_introspection_type(described) or is_specified_scalar_type(described):
            continue
        if described not in ROOTS and not described.description:
            yield name
        if isinstance(described, GraphQLObjectType):
            for field_name, field in described.fields.items():
                if not field.description:
                    yield f"{name}.{field_name}"
                yield from (f"{name}.{field_name}({each})" for each, it in field.args.items() if not it.description)
        if isinstance(described, GraphQLInputObjectType):
            yield from (f"{name}.{each}" for each, it in described.fields.items() if not it.description)


def test_everything_is_described() -> None:
    assert list(undescribed()) == []


def test_nothing_that_was_released_is_gone_or_means_something_else() -> None:
    changes = find_breaking_changes(build_schema(RELEASED.read_text()), SCHEMA)
    assert {each.description for each in changes} == DELIBERATE


def test_a_breaking_change_would_be_seen() -> None:
    less = re.sub(r"  bookmarked: Boolean!\n", "  bookMarked: Boolean!\n", str(schema))
    [change] = find_breaking_changes(SCHEMA, build_schema(less))
    assert change.type is BreakingChangeType.FIELD_REMOVED


def test_every_mutation_has_one_input_and_says_what_to_mend() -> None:
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        [argument] = field.args
        assert argument == "input"
        assert str(field.args[argument].type) == f"{name[0].upper()}{name[1:]}Input!"
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        assert str(payload.fields["errors"].type) == "[UserError!]!"


NARROWING = {"replies", "q", "query", "tag", "types"}
"""Arguments that say what of a list is asked for."""
DOWNWARDS = {"searchUsers", "searchTweets"}
"""Lists that are searched for, which are read one way."""


@pytest.mark.parametrize("name", [each for each in SCHEMA.type_map if each.endswith("Connection")])
def test_every_connection_is_relay_s(name: str) -> None:
    connection, edge = SCHEMA.type_map[name], SCHEMA.type_map[name.replace("Connection", "Edge")]
    assert isinstance(connection, GraphQLObjectType)
    assert isinstance(edge, GraphQLObjectType)
    assert {each: str(field.type) for each, field in connection.fields.items()} == {
        "edges": f"[{edge.name}!]!",
        "pageInfo": "PageInfo!",
    }
    assert {each: str(field.type) for each, field in edge.fields.items()} == {
        "node": f"{name.removesuffix('Connection')}!",
        "cursor": "String!",
    }
    fields = {
        name: field
        for described in SCHEMA.type_map.values()
        if isinstance(described, GraphQLObjectType)
        for name, field in described.fields.items()
        if get_named_type(field.type) is connection
    }
    assert fields
    for field_name, field in fields.items():
        arguments = {each: str(it.type) for each, it in field.args.items() if each not in NARROWING}
        upwards = {} if field_name in DOWNWARDS else {"last": "Int", "before": "String"}
        assert arguments == {"first": "Int", "after": "String"} | upwards
