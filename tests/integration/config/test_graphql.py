"""The GraphQL door: the same timeline and cursors as REST, and typed mistakes."""

from typing import Any
from unittest.mock import patch

import pytest

from accounts.models import User
from accounts.people import suspending
from storage.errors import Unavailable
from tests.integration.querying import CREATE, HOME, WHOLE_TWEET, Door, camel, ids
from tests.integration.speaking import on_one_store
from tests.people import new_person
from tweets.writing import posting as tweet_services

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def person() -> User:
    return new_person("ada")


@pytest.fixture
def ada(person: User) -> Door:
    return Door(person)


class TestHomeTimeline:
    def test_it_is_rest_s_page(self, ada: Door) -> None:
        first = ada.tweet("first @ada #tag https://example.org")
        ada.tweet("second", quoteOf=first["id"])
        shown = ada.data(f"{{ homeTimeline {{ edges {{ node {{ {WHOLE_TWEET} }} }} }} }}")["homeTimeline"]["edges"]
        rest = ada.client.get("/api/v1/feed/home").json()["data"]
        expected = camel(rest)
        assert expected[0]["quoteOf"].pop("quoteOf") is None
        assert shown[0]["node"]["quoteOf"].pop("quoteOf") is None
        assert [edge["node"] for edge in shown] == expected

    def test_paging_to_the_end(self, ada: Door) -> None:
        written = [ada.tweet(str(number))["id"] for number in range(5)][::-1]
        first = ada.home(first=2)
        assert ids(first) == written[:2]
        assert first["pageInfo"] == {
            "hasNextPage": True,
            "hasPreviousPage": False,
            "startCursor": first["edges"][0]["cursor"],
            "endCursor": first["edges"][-1]["cursor"],
        }
        second = ada.home(first=2, after=first["pageInfo"]["endCursor"])
        last = ada.home(first=2, after=second["pageInfo"]["endCursor"])
        assert ids(second) + ids(last) == written[2:]
        assert second["pageInfo"]["hasPreviousPage"] is True
        assert last["pageInfo"]["hasNextPage"] is False

    @on_one_store
    def test_any_edge_s_cursor_continues_after_it(self, ada: Door) -> None:
        written = [ada.tweet(str(number))["id"] for number in range(4)][::-1]
        for place, edge in enumerate(ada.home()["edges"]):
            assert ids(ada.home(after=edge["cursor"])) == written[place + 1 :]

    @on_one_store
    def test_cursors_are_rest_s_both_ways(self, ada: Door) -> None:
        written = [ada.tweet(str(number))["id"] for number in range(4)][::-1]
        rest = ada.client.get("/api/v1/feed/home?limit=2").json()
        assert ids(ada.home(after=rest["meta"]["next_cursor"])) == written[2:]
        cursor = ada.home(first=2)["pageInfo"]["endCursor"]
        page = ada.client.get(f"/api/v1/feed/home?cursor={cursor}").json()
        assert [tweet["id"] for tweet in page["data"]] == written[2:]

    @on_one_store
    def test_an_empty_timeline(self, ada: Door) -> None:
        page_info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
        assert ada.home() == {"edges": [], "pageInfo": page_info}

    @on_one_store
    def test_null_is_the_default(self, ada: Door) -> None:
        tweet = ada.tweet()
        assert ids(ada.home(first=None, after=None)) == [tweet["id"]]

    @on_one_store
    @pytest.mark.parametrize("first", [0, -1, 101, 2_000_000_000])
    def test_a_bad_page_size(self, ada: Door, first: int) -> None:
        [error] = ada.errors(HOME, {"first": first}, status=200)
        assert error["extensions"] == {"code": "bad_limit"}
        assert error["path"] == ["homeTimeline"]

    @on_one_store
    @pytest.mark.parametrize("after", ["", "nonsense", "AAAAAAAAAAE.forged", "7265412345678901248"])
    def test_a_bad_cursor(self, ada: Door, after: str) -> None:
        assert ada.errors(HOME, {"after": after}, status=200)[0]["extensions"] == {"code": "bad_cursor"}

    @on_one_store
    def test_it_needs_a_token(self) -> None:
        [error] = Door().errors(HOME, status=200)
        assert error["extensions"] == {"code": "not_authenticated"}

    @on_one_store
    def test_a_bad_token_is_not_nobody(self) -> None:
        answer = Door(token="nonsense").ask("{ __typename }")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer["Content-Type"] == "application/problem+json"

    @on_one_store
    def test_the_suspended_are_shut_out(self, ada: Door, person: User) -> None:
        suspending.suspend(person, by=new_person(staff=True))
        answer = ada.ask(HOME)
        assert (answer.status_code, answer.json()["code"]) == (403, "suspended")


class TestCreateTweet:
    def test_what_was_created_is_answered_whole(self, ada: Door) -> None:
        root = ada.tweet("root")
        tweet = ada.tweet("👩‍👩‍👧‍👦 #tag", replyTo=root["id"], quoteOf=root["id"])
        rest = camel(ada.client.get(f"/api/v1/tweets/{tweet['id']}").json()["data"])
        assert tweet.pop("quoteOf")["id"] == rest.pop("quoteOf")["id"] == root["id"]
        assert tweet == rest
        assert tweet["conversationId"] == root["id"]

    @on_one_store
    @pytest.mark.parametrize(
        ("fields", "field", "code"),
        [
            ({"text": ""}, "text", "blank"),
            ({"text": "\u200b"}, "text", "blank"),
            ({"text": "x" * 281}, "text", "too_long"),
            ({"text": "x\x00"}, "text", "control_characters"),
            ({"replyTo": "1"}, "replyTo", "gone"),
            ({"quoteOf": "9223372036854775807"}, "quoteOf", "gone"),
            ({"replyTo": "abc"}, "replyTo", "malformed_id"),
            ({"quoteOf": "9" * 60}, "quoteOf", "malformed_id"),
        ],
        ids=str,
    )
    def test_a_mistake_comes_back_typed(self, ada: Door, fields: Any, field: str | None, code: str) -> None:
        created = ada.create(**{"text": "hello", **fields})
        assert created["tweet"] is None
        [error] = created["errors"]
        assert (error["field"], error["code"]) == (field, code)
        assert error["message"]
        assert ids(ada.home()) == []

    @on_one_store
    @pytest.mark.parametrize("given", [None, {}, {"text": None}, {"text": 7}, {"text": "x", "colour": "blue"}], ids=str)
    def test_what_the_schema_does_not_allow_is_refused(self, ada: Door, given: Any) -> None:
        assert ada.errors(CREATE, {"input": given}, status=400)

    @on_one_store
    def test_half_a_character_in_a_literal(self, ada: Door) -> None:
        half = 'mutation { createTweet(input: {text: "\\ud800"}) { tweet { id } } }'
        assert "Syntax Error" in ada.errors(half, status=400)[0]["message"]

    @on_one_store
    def test_it_needs_a_token(self) -> None:
        [error] = Door().errors(CREATE, {"input": {"text": "hello"}}, status=200)
        assert error["extensions"] == {"code": "not_authenticated"}

    @on_one_store
    def test_a_store_that_does_not_answer_is_told_in_our_words(self, ada: Door) -> None:
        cause = ConnectionError("driver says: 10.0.0.1 refused")
        down = Unavailable("store")
        down.__cause__ = cause
        with patch.object(tweet_services, "tweet_store", side_effect=down):
            [error] = ada.errors(CREATE, {"input": {"text": "hello"}}, status=200)
        assert error["extensions"] == {"code": "unavailable"}
        assert "driver" not in str(error)

    @on_one_store
    def test_what_nobody_foresaw_is_told_in_no_words(self, ada: Door) -> None:
        with patch.object(tweet_services, "tweet_store", side_effect=RuntimeError("secret")):
            [error] = ada.errors(CREATE, {"input": {"text": "hello"}}, status=200)
        assert error["extensions"] == {"code": "server_error"}
        assert "secret" not in str(error)


@on_one_store
class TestDocuments:
    def test_one_operation_of_several_by_its_name(self, ada: Door) -> None:
        several = "query A { a: __typename } query B { b: __typename }"
        assert ada.data(several, operationName="B") == {"b": "Query"}
        assert ada.errors(several, status=400)
        assert ada.errors(several, status=400, operationName="C")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"query": None},
            {"query": ""},
            {"query": "  "},
            {"query": 7},
            {"query": ["{ __typename }"]},
            {"query": {}},
            {"query": "{ __typename }", "variables": "{}"},
            {"query": "{ __typename }", "variables": []},
            {"query": "{ __typename }", "operationName": 7},
            [],
            [{"query": "{ __typename }"}],
            b"",
            b"{",
            b'{"query": "\\ud800"}',
        ],
        ids=str,
    )
    def test_what_is_no_request_cannot_be_read(self, ada: Door, body: Any) -> None:
        answer = ada.post(body)
        assert answer.status_code == 400, answer.content
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "query",
        [
            "{",
            "{ nonsense }",
            "{ homeTimeline }",
            "subscription { homeTimeline { id } }",
            "{ ...Unknown }",
            "hello",
            "#",
        ],
    )
    def test_what_is_no_document_is_refused(self, ada: Door, query: str) -> None:
        assert ada.errors(query, status=400)

    def test_subscriptions_are_sent_to_where_they_are_executed(self, ada: Door) -> None:
        [error] = ada.errors("subscription { homeTimeline { cursor } }", status=400)
        assert error["extensions"]["code"] == "bad_operation"
        assert error["message"] == (
            "Subscriptions are not executed over HTTP: open a WebSocket at /graphql that speaks graphql-transport-ws."
        )

    def test_only_posts_of_json_up_to_64_kb(self, ada: Door) -> None:
        """And what an address asks for (test_graphql_registered.py)."""
        answer = ada.client.put("/graphql?query={__typename}")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
        assert ada.post(b"{ __typename }", "application/graphql").status_code == 415
        assert ada.post(b"query={__typename}", "application/x-www-form-urlencoded").status_code == 415
        assert ada.ask("{ __typename }" + " " * 65_000).status_code == 200
        assert ada.ask("{ __typename }" + " " * 66_000).status_code == 413

    def test_answers_carry_their_request_id(self, ada: Door) -> None:
        assert ada.ask("{ __typename }")["X-Request-ID"]
