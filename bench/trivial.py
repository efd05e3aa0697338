"""A server that does nothing but answer, with as much as a page of home: what a generator can be measured against."""

from collections.abc import Callable, Iterable
from typing import Any

PAGE = b"." * 12_000
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(PAGE)))]


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]
) -> Iterable[bytes]:
    start_response("200 OK", HEADERS)
    return [PAGE]
