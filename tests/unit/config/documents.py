"""GraphQL documents of every size and shape, and what refuses them."""

from types import SimpleNamespace

import pytest
from graphql import GraphQLError, parse

from config.graphql.bounds import (
    _Measure,
)
from config.graphql.documents import Invalid, checked_document
from config.graphql.schema import schema
from tests.integration.querying import WHOLE_TWEET

LEAVES = ("id", "text", "created_at", "reply_to_id", "conversation_id")
OBJECTS = {
    "author": SimpleNamespace(id="1", username="ada", display_name="Ada", avatar_url=None, verified=False),
    "entities": SimpleNamespace(mentions=[], hashtags=[], urls=[]),
    "counts": SimpleNamespace(replies=0, retweets=0, quotes=0, likes=0),
    "viewer": SimpleNamespace(liked=False, retweeted=False, bookmarked=False),
}
PAGE = f"{{ homeTimeline {{ edges {{ cursor node {{ {WHOLE_TWEET} }} }} }} }}"
AFTER = 'after: "AAAAAAAAAAE.c2lnbmF0dXJl"'


def refusals(query: str) -> list[GraphQLError]:
    with pytest.raises(Invalid) as refused:
        checked_document(query)
    return refused.value.errors


def refusal(query: str) -> GraphQLError:
    [error] = refusals(query)
    return error


def timelines(count: int, arguments: str, directive: str = "") -> str:
    page = f"homeTimeline({arguments}) {directive} {{ edges {{ cursor }} }}"
    return "{" + " ".join(f"a{number}: {page}" for number in range(count)) + "}"


def chained(count: int, spreads: int = 1) -> str:
    """Fragments that each spread the next one, so many times."""
    each = "".join(f"fragment F{n} on Query {{ {f'...F{n + 1} ' * spreads} }}\n" for n in range(count - 1))
    return f"{{ ...F0 }} {each} fragment F{count - 1} on Query {{ __typename }}"


def separate(count: int) -> str:
    each = " ".join(f"fragment F{n} on Query {{ a{n}: __typename }}" for n in range(count))
    return "{ " + " ".join(f"...F{n}" for n in range(count)) + f" }} {each}"


def total(query: str) -> int:
    document = parse(query)
    [operation, *_] = document.definitions
    return _Measure(schema.graphql_schema, document).operation(operation).total  # type: ignore[arg-type]
