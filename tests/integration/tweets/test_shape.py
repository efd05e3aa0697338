"""A tweet, and a person, have the same fields at every door: REST, the OpenAPI document, GraphQL."""

from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type
from rest_framework import serializers

from accounts.doors.rest_accounts import OwnUserSerializer, UserSerializer
from accounts.doors.rest_relations import RelationshipSerializer
from accounts.doors.rest_sessions import OwnSessionSerializer
from accounts.entities import Relationship
from accounts.people.profiles import OwnUserOut, UserOut
from accounts.sessions.listing import SessionOut
from config.graphql.schema import schema
from feed.doors.rest_profile import ProfileSerializer
from feed.profile import ProfileOut
from tests.integration.querying import Door, camel_case
from tests.integration.speaking import Api, on_one_store
from tests.integration.tweets.shapes import (
    differences,
    document_fields,
    graphql_fields,
    stray_values,
    struct_fields,
)
from tests.people import new_person
from tweets.doors.documents import (
    AuthorDocument,
    TweetDocument,
)
from tweets.reading.outputs import AuthorOut, TweetOut

DOCUMENTS = [
    (TweetOut, TweetDocument),
    (UserOut, UserSerializer),
    (OwnUserOut, OwnUserSerializer),
    (Relationship, RelationshipSerializer),
    (SessionOut, OwnSessionSerializer),
    (ProfileOut, ProfileSerializer),
]


class WholeUser(ProfileOut, frozen=True):
    """A person as GraphQL shows them: the profile, and of who is asking their address."""

    email: str | None
    email_confirmed: bool | None


MORE_OF_AN_AUTHOR = sorted(
    f".author.{camel_case(name)} is on one side only"
    for name in struct_fields(WholeUser).keys() - struct_fields(AuthorOut).keys()
)
"""At REST an author is shown by less than a profile; in GraphQL both are a `User`."""
TYPES = [
    (TweetOut, "Tweet", MORE_OF_AN_AUTHOR),
    (WholeUser, "User", []),
    (Relationship, "Relationship", []),
    (SessionOut, "Session", []),
]


AUTHOR = {camel_case(name) for name in struct_fields(AuthorOut)}


def graphql_type(name: str) -> GraphQLObjectType:
    found: Any = schema.graphql_schema.get_type(name)
    assert isinstance(found, GraphQLObjectType)
    return found


def everything_of(described: GraphQLObjectType, *, tweets: int) -> str:
    """A selection of every field, with so many tweets in tweets."""
    selected = []
    for name, field in described.fields.items():
        if name not in graphql_fields(described) or (described.name == "User" and name not in AUTHOR):
            continue
        inner = get_named_type(field.type)
        if not isinstance(inner, GraphQLObjectType):
            selected.append(name)
        elif inner.name != "Tweet":
            selected.append(f"{name} {everything_of(inner, tweets=tweets)}")
        elif tweets:
            selected.append(f"{name} {everything_of(inner, tweets=tweets - 1)}")
    return f"{{ {' '.join(selected)} }}"


@pytest.mark.parametrize(("output", "document"), DOCUMENTS)
def test_the_openapi_document_has_the_fields_of_what_is_answered(output: Any, document: Any) -> None:
    assert differences(output, document, document_fields) == []


@pytest.mark.parametrize(("output", "name", "more"), TYPES)
def test_graphql_has_the_fields_of_what_is_answered(output: Any, name: str, more: list[str]) -> None:
    assert differences(output, graphql_type(name), graphql_fields, camel_case) == more


def test_a_field_that_a_door_lacks_or_describes_otherwise_is_seen() -> None:
    nameless: Any = type("Nameless", (AuthorDocument,), {"username": None})
    otherwise = {
        "author": nameless(),
        "colour": serializers.CharField(),
        "counts": serializers.IntegerField(),
        "id": serializers.CharField(allow_null=True),
        "text": None,
    }
    found = differences(TweetOut, type("Otherwise", (TweetDocument,), otherwise), document_fields)
    assert [each.split(" ")[0] for each in found] == [".author.username", ".colour", ".counts", ".id", ".text"]


@pytest.mark.usefixtures("product")
@on_one_store
class TestRendered:
    """What is answered indeed, with a value wherever one may be missing, but for pictures."""

    def test_a_tweet_has_its_shape(self) -> None:
        ada = Api(new_person("ada"))
        text = "hello @ada #tag https://example.org"
        first = ada.tweet(text)
        second = ada.tweet(text, reply_to=first["id"], quote_of=first["id"])
        assert ada.call("PUT", f"/tweets/{second['id']}/retweet").status_code == 200
        page = ada.page("/feed/home")["data"]
        for tweet in (first, second, *page):
            assert stray_values(TweetOut, tweet) == []
        retweet = page[0]
        assert all(retweet["retweet_of"]["quote_of"]["entities"].values())
        assert retweet["retweet_of"]["reply_to_id"]
        assert retweet["viewer"]

    def test_graphql_answers_what_its_fields_are_called(self) -> None:
        person = new_person("ada")
        Api(person).tweet("hello @ada #tag https://example.org")
        query = f"{{ homeTimeline {{ edges {{ node {everything_of(graphql_type('Tweet'), tweets=0)} }} }} }}"
        [edge] = Door(person).data(query)["homeTimeline"]["edges"]
        strays = stray_values(TweetOut, edge["node"], camel_case)
        assert sorted(strays) == [".quoteOf is on one side only", ".retweetOf is on one side only"], "not asked for"

    def test_a_person_has_their_shape(self) -> None:
        ada = Api(new_person("ada"))
        ben = Api(new_person("ben"))
        assert ada.call("PUT", "/users/ben/follow").status_code == 200
        [follower] = ben.page("/users/ben/followers")["data"]
        assert stray_values(UserOut, follower) == []
        assert stray_values(OwnUserOut, ada.get("/me").json()["data"]) == []
