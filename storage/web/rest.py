"""What every REST door is built from: JSON in and out, page parameters, the two envelopes.

A body is one JSON object in UTF-8, as it is and not packed:

    400  what is no JSON (NaN, lone surrogates and nesting without end included), is no object, or names a key twice
    415  another type, another charset, or a Content-Encoding
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import IO, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from storage.errors import BadRequest
from storage.ids.snowflakes import MAX_ID
from storage.web.inputs import unknown_fields
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest, decode_cursor, decode_since

T = TypeVar("T")

ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)

JSON = "application/json"
PATHS_KEPT = 256
"""Most requests ask for few of them."""
LONGEST_KEPT = 256
"""Characters. All of ours are shorter; others are as long as a client likes, up to 64 KB."""
CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
UTF8_NAMES = ("utf-8", "utf8", "us-ascii", "ascii")
"""ASCII is UTF-8 as well."""

encoded = msgspec.json.Encoder().encode
"""What every JSON body is encoded by."""
_decoder = msgspec.json.Decoder()


class PackedBody(UnsupportedMediaType):
    """A body with a Content-Encoding; the answer's Accept-Encoding says that there may be none."""

    accept_encoding = "identity"

    def __init__(self, encoding: str) -> None:
        super().__init__(encoding, "Send the body as it is: no Content-Encoding is understood here.")


class MsgspecRenderer(BaseRenderer):
    media_type = JSON
    format = "json"
    charset = None

    def render(
        self, data: object, accepted_media_type: str | None = None, renderer_context: Mapping[str, object] | None = None
    ) -> bytes:
        return b"" if data is None else encoded(data)


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


def refuse_fields(request: Request, *, in_query: Collection[str] = ()) -> None:
    """Refuses whatever the body of a write says that takes none. No body is fine, and so is `{}`.

    Raises DRF's `ValidationError`, which names each field and, if that is what it is like, the parameter of the
    query that was meant; for a body that cannot be read what the parser raises.
    """
    if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        return
    if unknown := unknown_fields(cast(Mapping[str, object], request.data), (), in_query=in_query):
        raise ValidationError(unknown)


def parse_id(text: str) -> int:
    """Returns the id of a path or body. Raises `BadRequest` unless it is one, as a decimal string."""
    number = int(text) if ID.fullmatch(text) else 0
    if not 0 < number <= MAX_ID:
        raise BadRequest("An id is a string of up to 19 decimal digits.", code="malformed_id")
    return number


AnyRequest = Request | HttpRequest
"""REST framework's, or Django's own that is in it."""


FIRST_PAGE = PageRequest()


def page_request(request: AnyRequest) -> PageRequest:
    """Returns what `limit`, `cursor` and `since` of a collection ask for. Raises `BadRequest`, for bad `links` too.

    Asked twice of one request, it answers the same without looking again.
    """
    if not request.META.get("QUERY_STRING"):
        return FIRST_PAGE
    plain = _plain(request)
    known: PageRequest | None = getattr(plain, "page_asked", None)
    if known is None:
        known = plain.page_asked = _page_asked(request.GET)  # type: ignore[attr-defined]
    return known


def _page_asked(query: Mapping[str, str]) -> PageRequest:
    if query.get("links", "path") not in ("path", "absolute"):
        raise BadRequest("links is path or absolute.", code="bad_links")
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


def flag(request: AnyRequest, name: str, *, default: bool) -> bool:
    """Returns a query parameter that is `true` or `false`. Raises `BadRequest` for anything else."""
    if not request.META.get("QUERY_STRING"):
        return default
    value = request.GET.get(name, str(default).lower())
    if value not in ("true", "false"):
        raise BadRequest(f"{name} is true or false.", code="bad_flag")
    return value == "true"


def single(data: object) -> dict[str, object]:
    """Returns the envelope of one resource."""
    return {"data": data}


def collection(request: AnyRequest, asked: PageRequest, page: Page[T]) -> dict[str, object]:
    """Returns the envelope of a page; its links keep the other query parameters.

    They are paths, or URLs with `links=absolute`. Those to the neighbouring pages are put on the answer as well:
    see `link_field`.
    """
    older = page.older_cursor
    newer = page.newer_cursor
    links = {
        "self": request.get_full_path() if request.META.get("QUERY_STRING") else escaped_path(request.path),
        "next": _link(request, asked, "cursor", older),
        "prev": _link(request, asked, "since", newer),
    }
    if request.META.get("QUERY_STRING") and request.GET.get("links") == "absolute":
        links = {name: link and request.build_absolute_uri(link) for name, link in links.items()}
    _plain(request).page_links = links  # type: ignore[attr-defined]
    return {
        "data": page.items,
        "meta": {"next_cursor": older, "prev_cursor": newer, "limit": asked.limit},
        "links": links,
    }


def escaped_path(path: str) -> str:
    """Returns a path as it stands in links and log lines."""
    return _kept_path(path) if len(path) <= LONGEST_KEPT else escape_uri_path(path)


_kept_path = lru_cache(PATHS_KEPT)(escape_uri_path)


def _plain(request: AnyRequest) -> HttpRequest:
    return getattr(request, "_request", request)


def link_field(request: HttpRequest) -> str | None:
    """Returns the Link field (RFC 8288) of the page that answers the request; None if it is none, or the only one."""
    links: Mapping[str, str | None] = getattr(request, "page_links", {})
    return ", ".join(f'<{links[name]}>; rel="{name}"' for name in ("next", "prev") if links.get(name)) or None


def _link(request: AnyRequest, asked: PageRequest, name: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    others = ""
    if request.META.get("QUERY_STRING"):
        kept = {key: value for key, value in request.GET.items() if key not in ("cursor", "since", "limit")}
        others = f"{urlencode(kept)}&" if kept else ""
    return f"{escaped_path(request.path)}?{others}limit={asked.limit}&{name}={cursor}"


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
