"""Bad variables of a GraphQL request: the client's mistake, named, and nothing to log."""

from typing import Any
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from tests.integration.querying import CREATE, HOME, Door
from tests.integration.speaking import on_one_store
from tests.people import new_person
from tweets.writing import posting

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

WITH_DEFAULT = 'mutation($t: String = "x") { createTweet(input: {text: $t}) { tweet { id } errors { code } } }'
CHECKED = "query($on: Boolean = true) { __typename @include(if: $on) }"
REQUIRED = "query($first: Int!) { homeTimeline(first: $first) { edges { cursor } } }"


@pytest.fixture
def ada() -> Door:
    return Door(new_person("ada"))


def mistakes(door: Door, query: str, variables: Any) -> list[dict[str, Any]]:
    """The errors of a request that was refused, of which nothing ran and nothing was logged as our failure."""
    with capture_logs() as logged, patch.object(posting, "checked_text", side_effect=AssertionError):
        errors = door.errors(query, variables, status=400)
    assert not [line for line in logged if line["log_level"] in ("error", "critical", "warning")]
    assert {error["extensions"]["code"] for error in errors} == {"bad_variables"}
    return errors


@pytest.mark.parametrize("value", [5, 1.5, True, [], ["x"], {}, {"a": {"b": [1]}}, None, 10**30, [[[[None]]]]], ids=str)
def test_a_text_that_is_none(ada: Door, value: Any) -> None:
    errors = mistakes(ada, CREATE, {"input": {"text": value}})
    assert "'$input'" in errors[0]["message"]
    assert "input.text" in errors[0]["message"]


@pytest.mark.parametrize("field", ["replyTo", "quoteOf"])
@pytest.mark.parametrize("value", [True, False, 1.5, [], ["1"], {}, {"id": "1"}], ids=str)
def test_an_id_that_is_none(ada: Door, field: str, value: Any) -> None:
    [error] = mistakes(ada, CREATE, {"input": {"text": "x", field: value}})
    assert f"input.{field}" in error["message"]


@pytest.mark.parametrize(
    "value",
    ["5", "", 1.5, True, [], [5], {}, 2_147_483_648, -2_147_483_649, 10**300, 10**4_000, 1e300, "9" * 5_000],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) else "a number",
)
def test_a_page_size_that_is_no_number(ada: Door, value: Any) -> None:
    [error] = mistakes(ada, HOME, {"first": value})
    assert "'$first'" in error["message"]
    assert len(error["message"]) < 1_000


@pytest.mark.parametrize("value", [5, 1.5, True, [], ["x"], {}], ids=str)
def test_a_cursor_that_is_no_text(ada: Door, value: Any) -> None:
    assert "'$after'" in mistakes(ada, HOME, {"after": value})[0]["message"]


@pytest.mark.parametrize(
    "variables", [None, {}, {"input": None}, {"input": {}}, {"input": []}, {"input": "x"}], ids=str
)
def test_what_is_missing(ada: Door, variables: Any) -> None:
    assert "'$input'" in mistakes(ada, CREATE, variables)[0]["message"]


def test_a_missing_number(ada: Door) -> None:
    for variables in (None, {}, {"first": None}):
        assert "'$first'" in mistakes(ada, REQUIRED, variables)[0]["message"]


@pytest.mark.parametrize("name", ["colour", "reply_to", "Text", "__typename", "", "x" * 5_000], ids=lambda it: it[:10])
def test_a_field_that_the_input_has_not(ada: Door, name: str) -> None:
    [error] = mistakes(ada, CREATE, {"input": {"text": "x", name: "1"}})
    assert f"'{name}'" in error["message"]


@pytest.mark.parametrize("name", ["text", "Input", "first"])
def test_a_variable_that_the_document_has_not_is_no_concern_of_it(ada: Door, name: str) -> None:
    data = ada.data(CREATE, {"input": {"text": "x"}, name: "1"})
    assert data["createTweet"]["tweet"]["text"] == "x"


def test_a_variable_of_another_operation_may_be_there(ada: Door) -> None:
    several = "query A($a: String) { homeTimeline(after: $a) { edges { cursor } } } query B { __typename }"
    assert ada.data(several, {"a": "x"}, operationName="B") == {"__typename": "Query"}


@pytest.mark.parametrize(("query", "variables"), [(WITH_DEFAULT, {"t": None}), (CHECKED, {"on": None})])
def test_null_in_place_of_a_default_where_null_may_not_stand(ada: Door, query: str, variables: Any) -> None:
    [name] = variables
    assert f"'${name}'" in mistakes(ada, query, variables)[0]["message"]


def test_without_it_the_default_holds(ada: Door) -> None:
    assert ada.data(WITH_DEFAULT)["createTweet"]["errors"] == []
    assert ada.data(CHECKED) == {"__typename": "Query"}


@pytest.mark.parametrize("levels", [50, 400, 900])
def test_a_value_that_is_nested_deeply(ada: Door, levels: int) -> None:
    raw = b'{"query": "query($a: String) { homeTimeline(after: $a) { edges { cursor } } }", "variables": {"a": '
    answer = ada.post(raw + b"[" * levels + b"]" * levels + b"}}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "bad_variables"


@pytest.mark.parametrize(
    "value",
    [b"9" * 5_000, b"-" + b"9" * 50_000, b"1e999", b"[[" + b"8" * 4_400 + b"]]", b'{"text": ' + b"7" * 4_301 + b"}"],
    ids=lambda value: str(value[:10]),
)
def test_a_number_that_no_machine_reads_is_named_too(ada: Door, value: bytes) -> None:
    with capture_logs() as logged:
        answer = ada.post(b'{"query": "{ __typename }", "variables": {"ok": 1, "first": ' + value + b"}}")
    assert not [line for line in logged if line["log_level"] in ("error", "critical")]
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "bad_variables")
    assert "'$first'" in problem["detail"]
    assert "out of range" in problem["detail"]


def test_mistakes_are_listed_up_to_a_number(ada: Door) -> None:
    assert len(mistakes(ada, CREATE, {"input": {"text": "x", **{f"f{n}": n for n in range(200)}}})) == 21


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ("query A { __typename } query B { __typename }", None, "bad_operation"),
        ("query A { __typename }", "B", "bad_operation"),
        ("{ __typename }", "", "bad_operation"),
        ("{ __typename } { __typename }", None, "bad_query"),
        ("fragment A on Query { __typename }", None, "bad_query"),
        ("query($a: Nothing) { homeTimeline(after: $a) { edges { cursor } } }", None, "bad_query"),
        ("query { homeTimeline(after: $a) { edges { cursor } } }", None, "bad_query"),
        ("query($a: Boolean) { homeTimeline(after: $a) { edges { cursor } } }", None, "bad_query"),
        ("type Tweet { id: ID }", None, "bad_query"),
        ("{ homeTimeline(first: 2147483648) { edges { cursor } } }", None, "bad_limit"),
        ('{ homeTimeline(first: "5") { edges { cursor } } }', None, "bad_query"),
        ("{ homeTimeline(first: 1.5, after: true) { edges { cursor } } }", None, "bad_query"),
        ("mutation { createTweet(input: {text: 5}) { errors { code } } }", None, "bad_query"),
        ('mutation { createTweet(input: {text: "x", quoteOf: true}) { errors { code } } }', None, "bad_query"),
        ('mutation { createTweet(input: {text: "x", quoteOf: 1.5}) { errors { code } } }', None, "bad_query"),
        ("mutation { createTweet(input: null) { errors { code } } }", None, "bad_query"),
    ],
)
def test_mistakes_in_the_document_itself(ada: Door, query: str, name: str | None, code: str) -> None:
    with capture_logs() as logged:
        errors = ada.errors(query, status=400, operationName=name)
    assert not [line for line in logged if line["log_level"] in ("error", "critical")]
    assert {error["extensions"]["code"] for error in errors} == {code}
    assert code == "bad_operation" or all(error["locations"] for error in errors)
