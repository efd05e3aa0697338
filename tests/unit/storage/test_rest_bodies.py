"""What is read of a body, and what is refused before anything is done about it."""

from io import BytesIO

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from storage.web.rest import JSONOnly, MsgspecParser


def parsed(body: bytes) -> dict[str, object]:
    return MsgspecParser().parse(BytesIO(body))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' \r\n{"a": "x: y", "b": {"a": 1}}\n', {"a": "x: y", "b": {"a": 1}}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (b'{"a": [{"b": 1}, {"b": 2}]}', {"a": [{"b": 1}, {"b": 2}]}),
        (b"{}", {}),
    ],
)
def test_an_object_is_read(body: bytes, value: object) -> None:
    assert parsed(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b"true",
        b"",
        b"\xef\xbb\xbf",
        b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xff"}',
        b'{"a": 1} x',
        b'{"a": 1,}',
        b"{'a': 1}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a":' * 50_000,
        b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_not(body: bytes) -> None:
    with pytest.raises(ParseError):
        parsed(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "one", "text": "two"}',
        b'{"text": "one", "\\u0074ext": "one"}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": [{"b": 1, "c": 2, "b": 3}]}',
        b'{"": 1, "": 2}',
    ],
)
def test_a_key_that_comes_twice_is_refused_at_any_depth(body: bytes) -> None:
    with pytest.raises(ParseError, match="twice"):
        parsed(body)


def parser_for(content_type: str, **headers: str) -> BaseParser | None:
    request = Request(RequestFactory().post("/", b"{}", content_type=content_type, headers=headers))
    return JSONOnly().select_parser(request, [MsgspecParser()])


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json; charset=us-ascii",
        "application/json; profile=x; charset=utf8",
    ],
)
def test_json_in_utf_8_is_taken(content_type: str) -> None:
    assert isinstance(parser_for(content_type), MsgspecParser)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        'application/json; x=y; charset="ISO-8859-1"',
    ],
)
def test_other_types_and_charsets_are_not(content_type: str) -> None:
    assert parser_for(content_type) is None


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "x-gzip", "aws-chunked", "identity, gzip"])
def test_packed_bodies_are_not(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="Content-Encoding"):
        parser_for("application/json", **{"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_says_that_it_is_as_it_is_is_taken(encoding: str) -> None:
    assert parser_for("application/json", **{"Content-Encoding": encoding}) is not None
