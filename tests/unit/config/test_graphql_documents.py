"""What GraphQL documents may ask for."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.test import override_settings
from graphql import GraphQLError, get_introspection_query, parse

from config.graphql import documents
from config.graphql.bounds import (
    INNER_PAGE_COMPLEXITY,
    MAX_COMPLEXITY,
    MAX_DEPTH,
    PAGE_COMPLEXITY,
)
from config.graphql.documents import checked_document
from config.graphql.scanning import _TOKEN, MAX_BRACKETS, MAX_CHARACTERS, MAX_TOKENS
from tests.integration.querying import CREATE, HOME
from tests.unit.config.documents import AFTER, PAGE, chained, refusal, refusals, separate, timelines, total


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    documents._kept.clear()
    yield
    documents._kept.clear()


class TestComplexity:
    @pytest.mark.parametrize("size", [-2_147_483_648, -1, 0, 101, 2_147_483_647, 10**30])
    @pytest.mark.parametrize("directive", ["", "@include(if: false)", "@skip(if: true)"])
    def test_a_page_size_that_is_none_is_refused_also_where_it_is_left_out(self, size: int, directive: str) -> None:
        pages = timelines(8, "first: 100")[1:-1]
        error = refusal(f"{{ cheap: homeTimeline(first: {size}) {directive} {{ edges {{ cursor }} }} {pages} }}")
        assert error.extensions == {"code": "bad_limit"}
        assert error.message == "first must be from 1 to 100."
        assert error.locations

    def test_it_is_refused_in_a_fragment_and_deep_down_as_well(self) -> None:
        query = f"{PAGE[:-1]} ...More }} fragment More on Query {{ homeTimeline(first: -5) {{ edges {{ cursor }} }} }}"
        assert refusal(query).extensions == {"code": "bad_limit"}

    @pytest.mark.parametrize("count", [10, 20, 40, 60, 95, 200])
    @pytest.mark.parametrize("first", ["first: 1", f"first: 1, {AFTER}", "first: $n", "first: null"])
    def test_many_small_pages_are_too_much(self, count: int, first: str) -> None:
        declared = "query($n: Int = 1)" if "$n" in first else ""
        error = refusal(declared + timelines(count, first))
        assert error.extensions == {"code": "too_complex"}

    @pytest.mark.parametrize("directive", ["@include(if: $no)", "@skip(if: true)", "@include(if: false)"])
    def test_directives_make_nothing_cheaper(self, directive: str) -> None:
        declared = "query($no: Boolean = false)" if "$no" in directive else ""
        assert refusal(declared + timelines(20, "first: 1", directive)).extensions == {"code": "too_complex"}

    def test_a_page_is_counted_wherever_its_fragment_is_spread(self) -> None:
        spread = " ".join("... on Query { ...F }" for _ in range(10))
        fragment = "fragment F on Query { homeTimeline(first: 1) { edges { cursor } } }"
        assert "10 pages" in refusal(f"{{ {spread} }} {fragment}").message

    def test_some_small_pages_are_not(self) -> None:
        assert checked_document(timelines(9, f"first: 1, {AFTER}"))

    def test_the_largest_page_of_whole_tweets_is_not(self) -> None:
        largest = PAGE.replace("homeTimeline", "homeTimeline(first: 100)")
        assert checked_document(largest)
        assert checked_document(HOME)
        assert total(largest) + INNER_PAGE_COMPLEXITY < MAX_COMPLEXITY

    @pytest.mark.parametrize(
        ("arguments", "items"),
        [("", 20), ("(first: 7)", 7), ("(first: null)", 20), ("(first: $n)", 100), (f"(first: 7, {AFTER})", 7)],
    )
    def test_how_many_items_a_page_counts(self, arguments: str, items: int) -> None:
        counted = total(f"query Q($n: Int = 1) {{ homeTimeline{arguments} {{ pageInfo {{ hasNextPage }} }} }}")
        assert counted == PAGE_COMPLEXITY + 1 + INNER_PAGE_COMPLEXITY + items * 2

    def test_at_most_nine_writes(self) -> None:
        def writes(count: int) -> str:
            fields = (f't{n}: createTweet(input: {{text: "x"}}) {{ errors {{ code }} }}' for n in range(count))
            return f"mutation {{ {' '.join(fields)} }}"

        assert checked_document(writes(9))
        assert refusal(writes(10)).extensions == {"code": "too_complex"}


class TestCounts:
    @pytest.mark.parametrize(
        ("query", "word"),
        [
            ("{" + " ".join(f"a{n}: __typename" for n in range(201)) + "}", "fields"),
            ("{" + " __typename" * 72 + " }", "pairs"),
            ("{" + " a: __typename b: __typename c: __typename d: __typename" * 40 + " }", "pairs"),
            (
                "{" + " ".join(f"a{n}: homeTimeline {{ pageInfo {{ x: hasNextPage }} }}" for n in range(60)) + "}",
                "pairs",
            ),
            (chained(31), "fragments"),
            (chained(30, spreads=3), "fragment spreads"),
            ("{" + " ...A" * 61 + " } fragment A on Query { __typename }", "fragment spreads"),
            (separate(31), "fragments"),
            ("{" + " ... on Query { __typename }" * 49 + " ... { __typename }" * 12 + "}", "inline"),
            ("{ __typename" + " @include(if: true)" * 61 + "}", "directives"),
            (" ".join(f"query A{n} {{ __typename }}" for n in range(11)), "operations"),
            ("query(" + " ".join(f"$v{n}: Int" for n in range(61)) + ") { __typename }", "variables"),
            ("{ homeTimeline(first: " + "9" * 401 + ") { edges { cursor } } }", "digits"),
            ("{ homeTimeline(first: -" + "9" * 5_000 + ") { edges { cursor } } }", "digits"),
            ("query($n: Int = " + "9" * 5_000 + ") { homeTimeline(first: $n) { edges { cursor } } }", "digits"),
            ("{ homeTimeline(after: [" + "1 " * 1_000 + "]) { edges { cursor } } }", "tokens"),
            ("{" + "x" * 20_000 + "}", "characters"),
            ("{ __typename }" + "#" * 20_000, "characters"),
            ("{ __typename }\n" + "#\n" * 1_000, "lines"),
            ("{" + "\n" * 300 + " nonsense }", "lines"),
            ('{ user(username: """' + "\r\n" * 300 + '""") { id } }', "lines"),
            ("{ homeTimeline" * 300, "deep"),
            ("{ a(b: " + "[" * 300 + "]" * 300 + ") }", "deep"),
            ("{ a(b: " + "{a:" * 150 + "1" + "}" * 150 + ") }", "deep"),
        ],
        ids=lambda value: value[:40],
    )
    def test_too_much_is_refused_before_the_specification_s_rules_see_it(self, query: str, word: str) -> None:
        with patch.object(documents, "validate", side_effect=AssertionError):
            error = refusal(query)
        assert error.extensions == {"code": "too_complex"}
        assert word in error.message

    @pytest.mark.parametrize("query", ["x" * (MAX_CHARACTERS + 1), "{ a" * (MAX_BRACKETS + 1), "{" + " a" * MAX_TOKENS])
    def test_what_is_too_long_is_not_even_parsed(self, query: str) -> None:
        with patch.object(documents, "parse", side_effect=AssertionError):
            assert refusal(query).extensions == {"code": "too_complex"}

    @pytest.mark.parametrize(
        "query",
        [
            "{" + " __typename" * 71 + " }",
            "{" + " ".join(f"a{n}: __typename" for n in range(200)) + "}",
            chained(30),
            chained(30, spreads=2),
            separate(30),
            "{ ...A" + " ...A" * 59 + " } fragment A on Query { __typename }",
            "{ __typename }" + " \n" * 30_000,
            get_introspection_query(),
            CREATE,
        ],
        ids=lambda query: query[:40],
    )
    def test_much_is_not_too_much(self, query: str) -> None:
        assert checked_document(query)

    def test_a_document_too_deep(self) -> None:
        inner = "quoteOf { " * 9 + "id" + " }" * 9
        assert checked_document(f"{{ homeTimeline(first: 1) {{ edges {{ node {{ {inner[10:-2]} }} }} }} }}")
        error = refusal(f"{{ homeTimeline(first: 1) {{ edges {{ node {{ {inner} }} }} }} }}")
        assert f"{MAX_DEPTH} are allowed" in error.message


class TestScanning:
    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("{ a }", 3),
            ('"a { b \\" c" d', 2),
            ('"" a', 2),
            ('"""a "quoted" \\""" { """ b', 2),
            ('"""ends with \\\\""" b', 1),
            ('"""', 1),
            ('"not ended { \n b', 2),
            ("# a { comment\n b", 2),
            ("...F @d(if: -1.5e3) $v!", 12),
            ("\ufeff, a", 2),
        ],
    )
    def test_it_counts_tokens_as_the_parser_does(self, text: str, tokens: int) -> None:
        assert len(_TOKEN.findall(text)) == tokens

    @pytest.mark.parametrize("query", [get_introspection_query(), HOME, CREATE, PAGE, chained(30), separate(30)])
    def test_it_never_counts_more_than_the_parser(self, query: str) -> None:
        parse(query, max_tokens=len(_TOKEN.findall(query)))
        with pytest.raises(GraphQLError):
            parse(query, max_tokens=len(_TOKEN.findall(query)) - 1)


class TestIntrospection:
    def test_typename_may_be_asked_for_where_it_is_off(self) -> None:
        with override_settings(PRODUCTION=True):
            assert checked_document("{ __typename homeTimeline { __typename edges { node { __typename } } } }")
            assert checked_document('mutation { __typename createTweet(input: {text: "x"}) { __typename } }')

    @pytest.mark.parametrize(
        "query",
        [
            get_introspection_query(),
            "{ __schema { queryType { name } } }",
            '{ a: __type(name: "Tweet") { fields { name } } }',
            "{ __typename ...F } fragment F on Query { __schema { types { name } } }",
            '{ ... on Query { ... { __type(name: "User") { name } } } }',
            'mutation { __type(name: "User") { name } }',
        ],
        ids=lambda query: query[:40],
    )
    def test_the_schema_may_not(self, query: str) -> None:
        with override_settings(PRODUCTION=True):
            assert refusal(query).extensions == {"code": "no_introspection"}

    @pytest.mark.parametrize(
        "query",
        [
            "{ homeTimelin { edges { cursor } } }",
            "{ homeTimeline { edge { cursor } } }",
            "{ homeTimeline }",
            "{ homeTimeline(frist: 1) { edges { cursor } } }",
            "{ homeTimeline { edges { node { ... on Twet { id } } } } }",
            'mutation { createTweet(input: {text: "x", replyT: "1"}) { errors { code } } }',
            "mutation($i: CreateTweetInpt!) { createTweet(input: $i) { errors { code } } }",
            "{ __typename @includ(if: true) }",
        ],
    )
    def test_nothing_is_suggested_where_it_is_off(self, query: str) -> None:
        suggested = any("Did you mean" in error.message for error in refusals(query))
        with override_settings(PRODUCTION=True):
            assert not any("Did you mean" in error.message for error in refusals(query))
        assert suggested or "includ" in query

    @pytest.mark.parametrize("directive", ["@include(if: $v)", "@skip", '@include(if: "x")'])
    def test_what_a_rule_raises_is_a_mistake_like_any_other(self, directive: str) -> None:
        query = f"subscription($v: Boolean!) {{ homeTimeline {directive} {{ cursor }} }}"
        assert refusal(query).extensions == {"code": "bad_query"}

    def test_where_it_is_on_it_is_bounded(self) -> None:
        query = "{" + " ".join(f"a{n}: __schema {{ types {{ name }} }}" for n in range(11)) + "}"
        assert refusal(query).extensions == {"code": "too_complex"}
