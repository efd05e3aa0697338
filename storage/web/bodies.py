"""What a request's body may be: one JSON object in UTF-8, as it is and not packed.

400  what is no JSON (NaN, lone surrogates and nesting without end included), is no object, or names a key twice
415  another type, another charset, or a Content-Encoding
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from typing import IO

import msgspec
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

JSON = "application/json"
CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
UTF8_NAMES = ("utf-8", "utf8", "us-ascii", "ascii")
"""ASCII is UTF-8 as well."""

_decoder = msgspec.json.Decoder()


class PackedBody(UnsupportedMediaType):
    """A body with a Content-Encoding; the answer's Accept-Encoding says that there may be none."""

    accept_encoding = "identity"

    def __init__(self, encoding: str) -> None:
        super().__init__(encoding, "Send the body as it is: no Content-Encoding is understood here.")


class MsgspecParser(BaseParser):
    """Parses JSON objects only. A byte order mark before them is passed over."""

    media_type = JSON

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        raw = stream.read().removeprefix(BOM_UTF8)
        try:
            body = _decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise ParseError("The body must be a JSON object.")
        if raw.count(b":") != len(body):
            _refuse_repeated_keys(raw)
        return body


class JSONOnly(BaseContentNegotiation):
    """Answers in JSON, whatever `Accept` says; bodies are read by their content type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Returns what reads the body, None for another type or charset. Raises `PackedBody`."""
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip()
        if encoding.lower() not in ("", "identity"):
            raise PackedBody(encoding)
        content_type = request.content_type or JSON
        if (charset := CHARSET.search(content_type)) and charset[1].lower() not in UTF8_NAMES:
            return None
        media_type = content_type.split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def _refuse_repeated_keys(raw: bytes) -> None:
    """Raises `ParseError` when an object of the body names a key twice: who reads it elsewhere may pick the other one.

    Every key has a colon, so a body with as many colons as its object has keys repeats none: an ordinary one,
    which need not be read twice.
    """
    try:
        json.loads(raw, object_pairs_hook=_checked)
    except (ValueError, RecursionError) as error:
        raise ParseError("The body is not valid JSON.") from error


def _checked(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ParseError("The body names a key twice.")
