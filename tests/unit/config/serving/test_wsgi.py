"""What the application sees of granian's request, and granian of the answer."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from whitenoise.responders import SlicedFile

from config.serving.wsgi import Environ, Gateway

Fields = list[tuple[str, str]]


@dataclass
class Headers:
    pairs: Fields

    def items(self) -> Fields:
        return self.pairs


@dataclass
class Scope:
    headers: Headers
    method: str = "GET"
    path: str = "/é"
    query_string: str = "a=b"
    http_version: str = "1.1"
    scheme: str = "http"
    client: str = "192.0.2.1:4321"
    server: str = "127.0.0.1:8000"


@dataclass(eq=False)
class Answering:
    told: list[Any] = field(default_factory=list)

    def __aiter__(self) -> "Answering":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    def response_bytes(self, status: int, headers: Fields, body: bytes) -> None:
        self.told.append((status, headers, body))

    def response_file_range(self, status: int, headers: Fields, file: str, start: int, end: int) -> None:
        self.told.append((status, headers, Path(file).read_bytes()[start:end]))


@dataclass
class Call:
    scope: Scope
    proto: Answering


Answers = Callable[[Environ, Callable[..., None]], Iterable[bytes]]


def served(application: Answers, *fields: tuple[str, str]) -> tuple[int, Fields, bytes]:
    answering = Answering()
    with closing(asyncio.new_event_loop()) as loop:
        Gateway(application, loop, threads=0).serve(Call(Scope(Headers(list(fields))), answering))
    (told,) = answering.told
    result: tuple[int, Fields, bytes] = told
    return result


def seen(*fields: tuple[str, str]) -> Environ:
    found: Environ = {}

    def application(environ: Environ, start_response: Callable[..., None]) -> list[bytes]:
        found.update(environ)
        start_response("204 No Content", [("a", "b")])
        return []

    assert served(application, *fields) == (204, [("a", "b")], b"")
    return found


def test_the_request() -> None:
    environ = seen(("host", "x"), ("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2"))
    wanted = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/Ã©", "QUERY_STRING": "a=b", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1", "SERVER_PORT": "8000", "CONTENT_TYPE": "text/plain", "HTTP_X_A": "1,2",
    }  # fmt: skip
    assert environ.items() >= wanted.items()
    assert environ["wsgi.input"].read() == b""


@pytest.mark.parametrize("name", ["x_forwarded_for", "x-forwarded_for", "_", "content_length", "x_forwarded-for"])
def test_a_field_with_an_underscore_is_dropped(name: str) -> None:
    environ = seen(("x-forwarded-for", "1.1.1.1"), (name, "2.2.2.2"), ("x-forwarded-for", "3.3.3.3"))
    assert environ["HTTP_X_FORWARDED_FOR"] == "1.1.1.1,3.3.3.3"
    assert "2.2.2.2" not in environ.values()


def test_no_variable_of_the_process_passes_for_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_X_FORWARDED_FOR", "4.4.4.4")
    assert "HTTP_X_FORWARDED_FOR" not in seen()


def test_an_application_that_raises_is_500() -> None:
    def application(environ: Environ, start_response: Callable[..., None]) -> list[bytes]:
        raise ValueError

    assert served(application)[0] == 500


@pytest.mark.parametrize(("first", "last"), [(0, 9_999), (3, 3), (100, 8_999)])
def test_a_file_is_sent_by_its_path_and_closed(tmp_path: Path, first: int, last: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(200)) * 50)
    files = []

    def application(environ: Environ, start_response: Callable[..., None]) -> Iterable[bytes]:
        start_response("200 OK", [])
        file = path.open("rb")
        files.append(file)
        whole = (first, last) == (0, 9_999)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file if whole else SlicedFile(file, first, last))
        return wrapped

    assert served(application)[2] == path.read_bytes()[first : last + 1]
    assert files[0].closed


def test_nothing_mentions_the_request_once_it_is_answered() -> None:
    """Else granian goes on with a body that nobody reads, until the garbage is collected."""
    kept = []

    def application(environ: Environ, start_response: Callable[..., None]) -> list[bytes]:
        try:
            raise ValueError
        except ValueError as error:
            kept.append(error)
        start_response("200 OK", [])
        return [b"x"]

    answering = Answering()
    told, mentioned = answering.told, ref(answering)
    call = Call(Scope(Headers([])), answering)
    del answering
    calls = [call]
    del call
    with closing(asyncio.new_event_loop()) as loop:
        Gateway(application, loop, threads=0).serve(calls.pop())
    assert kept
    assert [status for status, _, _ in told] == [200]
    assert mentioned() is None
