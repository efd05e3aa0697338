"""What every REST door is built from: JSON in and out, page parameters, the two envelopes."""

import re
from collections.abc import Iterable, Mapping
from typing import IO, TypedDict, TypeVar, Unpack
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import CharField

from storage.errors import BadRequest
from storage.ids.snowflakes import MAX_ID
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest, decode_cursor, decode_since

T = TypeVar("T")

ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)

encoded = msgspec.json.Encoder().encode
"""What every JSON body is encoded by."""
_decoder = msgspec.json.Decoder()


class MsgspecRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: object, accepted_media_type: str | None = None, renderer_context: Mapping[str, object] | None = None
    ) -> bytes:
        return b"" if data is None else encoded(data)


class MsgspecParser(BaseParser):
    """Parses JSON objects only; UTF-8, so lone surrogates never come in."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        try:
            body = _decoder.decode(stream.read())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise ParseError("The body must be a JSON object.")
        return body


class JSONOnly(BaseContentNegotiation):
    """Answers in JSON, whatever `Accept` says; bodies are read by their content type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        content_type = (request.content_type or "application/json").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class TextOptions(TypedDict, total=False):
    """What a `TextField` may be given, as REST framework's fields take it."""

    required: bool
    allow_null: bool
    allow_blank: bool
    max_length: int
    help_text: str


class TextField(CharField):
    """A string and nothing that could be made one; its spaces are kept."""

    def __init__(self, **options: Unpack[TextOptions]) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


def parse_id(text: str) -> int:
    """Returns the id of a path or body. Raises `BadRequest` unless it is one, as a decimal string."""
    number = int(text) if ID.fullmatch(text) else 0
    if not 0 < number <= MAX_ID:
        raise BadRequest("An id is a string of up to 19 decimal digits.", code="malformed_id")
    return number


AnyRequest = Request | HttpRequest
"""REST framework's, or Django's own that is in it."""


def page_request(request: AnyRequest) -> PageRequest:
    """Returns what `limit`, `cursor` and `since` of a collection ask for. Raises `BadRequest`."""
    query = request.GET
    limit_text = query.get("limit", str(DEFAULT_LIMIT))
    if not (limit_text.isascii() and limit_text.isdigit() and 1 <= len(limit_text) <= 3):
        raise BadRequest(f"limit must be a whole number from 1 to {MAX_LIMIT}.", code="bad_limit")
    limit = int(limit_text)
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit must be a whole number from 1 to {MAX_LIMIT}.", code="bad_limit")
    if "cursor" in query and "since" in query:
        raise BadRequest("cursor and since go in opposite directions: give one of them.", code="bad_cursor")
    before = decode_cursor(query["cursor"]) if "cursor" in query else None
    after, unsettled = decode_since(query["since"]) if "since" in query else (None, None)
    return PageRequest(limit=limit, before=before, after=after, unsettled=unsettled)


def operation_id(request: Request) -> int | None:
    """Returns the id under which a write with an Idempotency-Key happens, also when it is repeated; else None."""
    found: int | None = getattr(request._request, "operation_id", None)
    return found


def flag(request: Request, name: str, *, default: bool) -> bool:
    """Returns a query parameter that is `true` or `false`. Raises `BadRequest` for anything else."""
    value = request.query_params.get(name, str(default).lower())
    if value not in ("true", "false"):
        raise BadRequest(f"{name} is true or false.", code="bad_flag")
    return value == "true"


def single(data: object) -> dict[str, object]:
    """Returns the envelope of one resource."""
    return {"data": data}


def collection(request: AnyRequest, asked: PageRequest, page: Page[T]) -> dict[str, object]:
    """Returns the envelope of a page; its links are paths that keep the other query parameters."""
    older, newer = page.older_cursor, page.newer_cursor
    return {
        "data": page.items,
        "meta": {"next_cursor": older, "prev_cursor": newer, "limit": asked.limit},
        "links": {
            "self": request.get_full_path(),
            "next": _link(request, asked, "cursor", older),
            "prev": _link(request, asked, "since", newer),
        },
    }


def _link(request: AnyRequest, asked: PageRequest, name: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = {key: value for key, value in request.GET.items() if key not in ("cursor", "since", "limit")}
    others = f"{urlencode(kept)}&" if kept else ""
    return f"{request.path}?{others}limit={asked.limit}&{name}={cursor}"
