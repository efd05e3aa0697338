"""What a GraphQL document may ask for: its bounds, introspection, and how many writes."""

import time

import pytest
from django.test import override_settings
from graphql import get_introspection_query

from config.graphql.door import MAX_VALIDATION_ERRORS, _checked
from tests.integration.querying import WHOLE_TWEET, Door
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
            ("{" + " __typename" * 1_900 + " }", "fields"),
            ("{" + " __typename" * 201 + " }", "fields"),
            ("{ homeTimeline" * 600, "deep"),
            ("{ a(b: " + "[" * 900 + "]" * 900 + ") }", "deep"),
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
        assert len(errors) <= MAX_VALIDATION_ERRORS + 1
        assert any(word in error["message"].lower() for error in errors)

    @pytest.mark.parametrize(
        "query",
        [
            nested(12),
            doubling(180),
            "{" + " __typename" * 200 + " }",
            "{ ...A" + " ...A" * 800 + " } fragment A on Query { __typename }",
            f"{{ homeTimeline(first: 100) {{ edges {{ cursor node {{ {WHOLE_TWEET} }} }} }} }}",
        ],
        ids=lambda query: query[:30],
    )
    def test_a_document_that_asks_for_much(self, ada: Door, query: str) -> None:
        begun = time.process_time()
        ada.data(query)
        assert time.process_time() - begun < SECONDS

    def test_documents_are_kept_and_mistakes_are_not(self, ada: Door) -> None:
        _checked.cache_clear()
        for _ in range(3):
            ada.data("{ __typename }")
            ada.errors("{ nonsense }", status=400)
        assert (_checked.cache_info().hits, _checked.cache_info().currsize) == (2, 1)


@on_one_store
class TestIntrospection:
    def test_it_works_where_one_develops(self) -> None:
        schema = Door().data(get_introspection_query())["__schema"]
        assert "CreateTweetInput" in {each["name"] for each in schema["types"]}

    def test_it_is_off_in_production(self) -> None:
        _checked.cache_clear()
        with override_settings(PRODUCTION=True):
            errors = Door().errors(get_introspection_query(), status=400)
        assert all("introspection" in error["message"] for error in errors)
        _checked.cache_clear()


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
