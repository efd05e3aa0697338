"""What a GraphQL document may ask for: its bounds, introspection, and how many writes."""

import time
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings
from graphql import get_introspection_query, parse

from config.graphql import documents
from config.graphql.documents import MAX_ERRORS
from tests.integration.querying import CREATE, WHOLE_TWEET, Door
from tests.integration.speaking import on_one_store
from tests.people import new_person
from tweets.stores.port import tweet_store

pytestmark = pytest.mark.usefixtures("product")

SECONDS = 2.0
"""What refusing the worst document may take; without bounds it takes minutes or for ever."""


@pytest.fixture
def ada() -> Door:
    return Door(new_person("ada"))


def nested(levels: int) -> str:
    """A document so many fields deep, the lower ones in a fragment."""
    inner = "quoteOf { " * (levels - 4) + "id" + " }" * (levels - 4)
    return f"{{ homeTimeline(first: 1) {{ edges {{ node {{ ...Deep }} }} }} }} fragment Deep on Tweet {{ {inner} }}"


def timelines(count: int, first: str) -> str:
    """The same page many times, each under a name of its own."""
    page = f"homeTimeline(first: {first}) {{ edges {{ node {{ id }} }} }}"
    return " ".join(f"a{number}: {page}" for number in range(count))


def doubling(levels: int) -> str:
    """Fragments that each spread the next one twice."""
    each = "".join(f"fragment F{level} on Query {{ ...F{level + 1} ...F{level + 1} }}\n" for level in range(levels))
    return f"{{ ...F0 }} {each} fragment F{levels} on Query {{ __typename }}"


@on_one_store
class TestBounds:
    @pytest.mark.parametrize(
        ("query", "word"),
        [
            (nested(13), "deep"),
            ("{" + "".join(f" a{number}: __typename" for number in range(1_000)) + " }", "tokens"),
            ("{" + " __typename" * 1_900 + " }", "characters"),
            ("{" + " __typename" * 1_000 + " }", "tokens"),
            ("{" + " __typename" * 201 + " }", "fields"),
            ("{" + " __typename" * 72 + " }", "pairs"),
            (doubling(180), "tokens"),
            (doubling(35), "fragments"),
            ("{ ...A" + " ...A" * 60 + " } fragment A on Query { __typename }", "fragment spreads"),
            ("{ homeTimeline(first: " + "9" * 5_000 + ") { edges { cursor } } }", "digits"),
            ("{ homeTimeline(first: -2147483648) @include(if: false) { edges { cursor } } }", "from 1 to 100"),
            ("{" + timelines(95, "1") + "}", "tokens"),
            ("{" + timelines(20, "1") + "}", "pages"),
            ("{" + "".join(f" a{number}: unreadNotificationsCount" for number in range(20)) + " }", "pages"),
            ("{ homeTimeline" * 300, "deep"),
            ("{ a(b: " + "[" * 300 + "]" * 300 + ") }", "deep"),
            ("query A { __typename } " * 450, "tokens"),
            ("{ ...A } fragment A on Query { ...A }", "within itself"),
            ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "within itself"),
            ("{ homeTimeline { edges { node { ...A } } } } fragment A on Tweet { quoteOf { ...A } }", "within itself"),
            ("{" + timelines(40, "100") + "}", "values"),
            ("query($n: Int) {" + timelines(40, "$n") + "}", "values"),
            (
                "{ __schema { types { fields { type { fields { type { fields { type { fields { name }"
                + " }" * 9,
                "introspection",
            ),
        ],
        ids=lambda value: value[:30],
    )  # fmt: skip
    def test_a_document_that_asks_for_too_much(self, ada: Door, query: str, word: str) -> None:
        begun = time.process_time()
        errors = ada.errors(query, status=400)
        assert time.process_time() - begun < SECONDS
        assert len(errors) <= MAX_ERRORS + 1
        assert any(word in error["message"].lower() for error in errors)

    @pytest.mark.parametrize(
        "query",
        [
            nested(12),
            doubling(25),
            "{" + " __typename" * 71 + " }",
            "{" + "".join(f" a{number}: __typename" for number in range(200)) + " }",
            "{ ...A" + " ...A" * 59 + " } fragment A on Query { __typename }",
            "{" + timelines(9, "1") + "}",
            f"{{ homeTimeline(first: 100) {{ edges {{ cursor node {{ {WHOLE_TWEET} }} }} }} }}",
        ],
        ids=lambda query: query[:30],
    )
    def test_a_document_that_asks_for_much(self, ada: Door, query: str) -> None:
        begun = time.process_time()
        ada.data(query)
        assert time.process_time() - begun < SECONDS

    def test_documents_are_kept_and_mistakes_are_not(self, ada: Door) -> None:
        documents._kept.clear()
        with patch.object(documents, "parse", wraps=parse) as parsed:
            for _ in range(3):
                ada.data("{ __typename }")
                ada.errors("{ nonsense }", status=400)
        assert parsed.call_count == 1 + 3
        assert len(documents._kept) == 1


@on_one_store
class TestIntrospection:
    def test_it_works_where_one_develops(self) -> None:
        schema = Door().data(get_introspection_query())["__schema"]
        assert "CreateTweetInput" in {each["name"] for each in schema["types"]}

    def test_it_is_off_in_production(self) -> None:
        with override_settings(PRODUCTION=True):
            errors = Door().errors(get_introspection_query(), status=400)
        assert all("introspection" in error["message"] for error in errors)

    @pytest.mark.parametrize("production", [True, False])
    @pytest.mark.parametrize("chosen", [True, False])
    def test_a_setting_says_otherwise(self, production: bool, chosen: bool) -> None:
        documents._kept.clear()
        with override_settings(PRODUCTION=production, GRAPHQL_INTROSPECTION=chosen):
            answer = Door().ask("{ __schema { queryType { name } } }")
        assert answer.status_code == (200 if chosen else 400)

    def test_clients_may_ask_for_a_type_s_name_wherever_they_are(self, ada: Door) -> None:
        page = "homeTimeline { __typename edges { __typename node { __typename } } pageInfo { __typename } }"
        ada.tweet()
        with override_settings(PRODUCTION=True):
            assert Door().data("{ __typename }") == {"__typename": "Query"}
            assert ada.data(f"{{ {page} }}")["homeTimeline"]["edges"][0]["node"] == {"__typename": "Tweet"}

    @pytest.mark.parametrize(
        ("query", "variables"),
        [
            ("{ homeTimelin { edges { cursor } } }", None),
            ("{ homeTimeline }", None),
            ("{ homeTimeline(frist: 1) { edges { cursor } } }", None),
            ("fragment F on Twet { id } { homeTimeline { edges { node { ...F } } } }", None),
            (CREATE, {"input": {"text": "x", "replyT": "1"}}),
            (CREATE, {"input": {"tekst": "x"}}),
        ],
    )
    def test_no_name_is_suggested_in_production(self, ada: Door, query: str, variables: Any) -> None:
        assert "Did you mean" in str(ada.errors(query, variables, status=400))
        with override_settings(PRODUCTION=True):
            errors = ada.errors(query, variables, status=400)
        assert not any(word in str(errors) for word in ("Did you mean", "homeTimeline {", "replyTo"))


@on_one_store
def test_one_request_makes_nine_writes_at_the_most() -> None:
    author = new_person()

    def posts(count: int) -> str:
        fields = " ".join(f't{n}: createTweet(input: {{text: "{n}"}}) {{ errors {{ code }} }}' for n in range(count))
        return f"mutation {{ {fields} }}"

    door = Door(author)
    refused = door.ask(posts(10))
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["extensions"]["code"] == "too_complex"
    assert tweet_store().count_by_author(author.id) == 0
    assert door.ask(posts(9)).status_code == 200
    assert tweet_store().count_by_author(author.id) == 9
