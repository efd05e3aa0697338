"""What refusing a GraphQL document costs: counted in work, not in seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import FrameType, SimpleNamespace
from unittest.mock import patch

import pytest
from graphql import GraphQLError, parse

from accounts.doors.graphql_context import GraphQLContext
from config.graphql import documents
from config.graphql.answers import _executed
from config.graphql.bounds import (
    check_bounds,
)
from config.graphql.documents import MAX_ERRORS, TOKENS_A_REQUEST, Invalid, checked_document
from config.graphql.requests import prepared
from config.graphql.scanning import MAX_CHARACTERS, MAX_TOKENS, check_text
from config.graphql.schema import schema
from feed.doors import graphql as feed_fields
from storage.web.paging import Page
from tests.unit.config.documents import (
    AFTER,
    LEAVES,
    OBJECTS,
    PAGE,
    chained,
    refusal,
    refusals,
    separate,
    timelines,
)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    documents._kept.clear()
    yield
    documents._kept.clear()


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
