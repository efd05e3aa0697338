"""What GraphQL documents may ask for, and what refusing them costs: counted in work, not in seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import FrameType, SimpleNamespace
from unittest.mock import patch

import pytest
from django.test import override_settings
from graphql import GraphQLError, get_introspection_query, parse

from accounts.doors.graphql import GraphQLContext
from config.graphql import documents
from config.graphql.answers import _executed
from config.graphql.bounds import (
    INNER_PAGE_COMPLEXITY,
    MAX_COMPLEXITY,
    MAX_DEPTH,
    PAGE_COMPLEXITY,
    _Measure,
    check_bounds,
)
from config.graphql.documents import MAX_ERRORS, TOKENS_A_REQUEST, Invalid, checked_document
from config.graphql.requests import prepared
from config.graphql.scanning import _TOKEN, MAX_BRACKETS, MAX_CHARACTERS, MAX_TOKENS, check_text
from config.graphql.schema import schema
from feed.doors import graphql as feed_fields
from storage.web.paging import Page
from tests.integration.querying import CREATE, HOME, WHOLE_TWEET

LEAVES = ("id", "text", "created_at", "reply_to_id", "conversation_id")
OBJECTS = {
    "author": SimpleNamespace(id="1", username="ada", display_name="Ada", avatar_url=None, verified=False),
    "entities": SimpleNamespace(mentions=[], hashtags=[], urls=[]),
    "counts": SimpleNamespace(replies=0, retweets=0, quotes=0, likes=0),
    "viewer": SimpleNamespace(liked=False, retweeted=False, bookmarked=False),
}
PAGE = f"{{ homeTimeline {{ edges {{ cursor node {{ {WHOLE_TWEET} }} }} }} }}"
AFTER = 'after: "AAAAAAAAAAE.c2lnbmF0dXJl"'


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    documents._kept.clear()
    yield
    documents._kept.clear()


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


def calls(work: Callable[[], object]) -> int:
    """How many functions were called."""
    count = 0

    def counting(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def calls_of_a_refusal(query: str) -> int:
    def refused() -> None:
        with suppress(Invalid):
            checked_document(query)

    return calls(refused)


def further_requests(query: str) -> int:
    """How many requests the text counts as besides the one."""
    counted: list[int] = []
    with suppress(Invalid):
        checked_document(query, count_more=counted.append)
    return sum(counted)


def calls_of_a_page() -> int:
    """An ordinary page of twenty whole tweets, whose document is known, without what reading them costs."""
    quoted = SimpleNamespace(**dict.fromkeys(LEAVES, "1"), **OBJECTS, retweet_of=None, quote_of=None)
    tweet = SimpleNamespace(**dict.fromkeys(LEAVES, "1"), **OBJECTS, retweet_of=None, quote_of=quoted)
    asked = prepared({"query": PAGE})
    with (
        patch.object(
            feed_fields, "home_page", return_value=Page([tweet] * 20, older=None, newer=None, places=[1] * 20)
        ),
        patch.object(feed_fields, "required_viewer"),
    ):
        return calls(lambda: _executed(asked, GraphQLContext(None), None))


def is_allowed(query: str) -> bool:
    try:
        checked_document(query)
    except Invalid:
        return False
    return True


def meeting(count: int, last: str) -> str:
    """Fragments that all stand in one place, each with the next one in it, and with fields of the same names."""
    fields = " ".join(f"f{number}: id" for number in range(5))
    spread = " ".join(f"...F{number}" for number in range(count))
    inner = [f"...F{number + 1}" for number in range(count - 1)]
    fragments = [f"fragment F{number} on Tweet {{ {first} {fields} }}" for number, first in enumerate([*inner, last])]
    return "{ homeTimeline(first: 1) { edges { node { " + spread + " } } } } " + " ".join(fragments)


class TestWork:
    """Refusals beside an ordinary page, in calls of functions, which are the same on every machine."""

    @pytest.mark.parametrize(
        "query",
        [
            timelines(100, "first: -2147483648", "@include(if: false)"),
            timelines(95, f"first: 1, {AFTER}"),
            timelines(40, "first: 100"),
            chained(170),
            chained(180, spreads=2),
            separate(60),
            meeting(30, "zz"),
            meeting(30, "id"),
            "{" + " __typename" * 1_900 + " }",
            "{ homeTimeline" * 4_000,
            "query A { __typename } " * 800,
            "{ a(b: " + "[" * 9_000 + "]" * 9_000 + ") }",
            "{ a(b: " + "9" * 19_000 + ") }",
            '"' * 60_000,
            "{" + "...F" * 4_900 + "}",
            "\\" * 60_000,
        ],
        ids=lambda query: query[:40],
    )
    def test_a_refusal_is_cheaper_than_an_ordinary_page(self, query: str) -> None:
        counted = 1 + further_requests(query)
        documents._kept.clear()
        assert calls_of_a_refusal(query) < counted * calls_of_a_page()
        assert counted <= 1 + MAX_TOKENS // TOKENS_A_REQUEST

    def test_what_is_not_known_counts_by_its_tokens_once(self) -> None:
        query = "{ me { " + " ".join(f"a{n}: id" for n in range(40)) + " } }"
        assert (further_requests(query), further_requests(query)) == (2, 0)
        assert further_requests("{ me { id } }") == 0

    def test_measuring_takes_time_in_proportion_to_the_document(self) -> None:
        few, many = (
            calls(partial(check_bounds, schema.graphql_schema, parse(chained(count, spreads=2)), introspection=True))
            for count in (15, 30)
        )
        assert many < 3 * few

    def test_no_fragments_that_are_allowed_cost_more_than_two_pages(self) -> None:
        allowed = max(count for count in range(1, 31) if is_allowed(meeting(count, "id")))
        assert 10 < allowed < 30
        counted = 1 + further_requests(meeting(allowed, "zz"))
        assert calls_of_a_refusal(meeting(allowed, "zz")) < counted * 2 * calls_of_a_page()

    def test_a_name_that_messages_would_repeat_is_bounded(self) -> None:
        assert is_allowed(f"query {'A' * 200} {{ __typename }}")
        assert refusal(f"query {'A' * 201} {{ __typename }}").extensions == {"code": "too_complex"}

    def test_mistakes_are_listed_up_to_a_number(self) -> None:
        assert len(refusals("{" + " ".join(f"x{n}" for n in range(150)) + "}")) == MAX_ERRORS + 1

    def test_a_scan_gives_nothing_back(self) -> None:
        for hostile in ('"""' + '""' * 30_000, '"\\' * 9_000, "-" * 19_000, "." * 19_000, '"""\\' + '\\"""' * 4_000):
            try:
                check_text(hostile[:MAX_CHARACTERS])
            except GraphQLError:
                continue
