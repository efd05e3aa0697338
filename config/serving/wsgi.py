"""A WSGI application behind granian's own interface (RSGI), where a request can be waited for without a thread.

    without a body     straight to the application, in one of granian's threads, at what its WSGI interface costs
    a body of a write  read in the event loop (bodies.py), and worked on in a thread of ours once it is there
    any other body     not read: hyper, below granian, ends the connection after the answer

Answers are handed over whole, so that no thread waits for a slow reader; files by their path. A field whose name has
an underscore is dropped (headers.py).
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

import structlog
from django.conf import settings
from whitenoise.responders import SlicedFile

from config.http.middleware import WRITES
from config.http.problems import Problem
from config.http.refusals import told
from config.serving.bodies import SLOW, Bodies, More, TooSlow
from storage.web.client_address import believed_address

Environ = dict[str, Any]
Fields = list[tuple[str, str]]
Application = Callable[[Environ, Callable[..., None]], Iterable[bytes]]
MAX_NAMES = 256
"""Of fields are kept as WSGI writes them; clients may send any."""

log = structlog.get_logger(__name__)


class Headers(Protocol):
    """Those of granian's scope; names in small letters, several of one name apart."""

    def items(self) -> list[tuple[str, str]]: ...


class Scope(Protocol):
    """What granian says of a request."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> str: ...
    @property
    def http_version(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def server(self) -> str: ...
    @property
    def headers(self) -> Headers: ...


class Answering(Protocol):
    """How granian is answered, from any thread, once; and the body's pieces, in the event loop."""

    def __aiter__(self) -> "Answering": ...
    async def __anext__(self) -> bytes: ...
    def response_bytes(self, status: int, headers: Fields, body: bytes) -> None: ...
    def response_file_range(self, status: int, headers: Fields, file: str, start: int, end: int) -> None: ...


Held = list[Answering]
"""One, until it has answered. While anything mentions it, and be it the frame of a function that an exception's
traceback keeps, hyper goes on with a body that nobody reads."""


class Call(Protocol):
    """What granian makes of a request: what it is, and how to answer it."""

    @property
    def scope(self) -> Scope: ...
    @property
    def proto(self) -> Answering: ...


class File:
    """What Django wraps a file in that it answers with."""

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self.file = file

    def __iter__(self) -> "File":
        return self

    def __next__(self) -> bytes:
        piece: bytes = self.file.read()
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        self.file.close()

    def place(self) -> tuple[str, int, int] | None:
        """Returns path, start and end of what is to be sent; None of what is no file on the disk."""
        sliced = isinstance(self.file, SlicedFile)
        file = self.file.fileobj if sliced else self.file
        if not isinstance(name := getattr(file, "name", None), str):
            return None
        start = file.tell()
        return name, start, start + self.file.remaining if sliced else os.fstat(file.fileno()).st_size


class Gateway:
    """Calls the application; one for each process."""

    def __init__(self, application: Application, loop: asyncio.AbstractEventLoop, threads: int) -> None:
        self._application = application
        self._loop = loop
        self._bodies = Bodies()
        self._read: SimpleQueue[tuple[Environ, Held]] = SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._base: Environ = {
            "SCRIPT_NAME": "",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": File,
        }
        for number in range(threads):
            Thread(target=self._work, name=f"write-{number}", daemon=True).start()

    def serve(self, call: Call) -> None:
        """Answers now, or once the body is there. Called in one of granian's threads."""
        environ, held = self._environ(call.scope), [call.proto]
        del call
        length = _announced(environ)
        if length == 0 or environ["REQUEST_METHOD"] not in WRITES or (length or 0) > settings.MAX_BODY_BYTES:
            self._answer(environ, held)
        else:
            self._loop.call_soon_threadsafe(self._start, environ, held.pop())

    def _start(self, environ: Environ, answering: Answering) -> None:
        task = self._loop.create_task(self._with_body(environ, answering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _with_body(self, environ: Environ, answering: Answering) -> None:
        address = believed_address(environ.get("HTTP_X_FORWARDED_FOR", ""), environ["REMOTE_ADDR"])
        try:
            body = await self._bodies.read(address, _more(answering), settings.MAX_BODY_BYTES)
        except TooSlow:
            _tell(SLOW, environ["PATH_INFO"], answering)
            return
        if (length := _announced(environ)) is not None and len(body) < length:
            return  # the client hung up
        environ["wsgi.input"] = BytesIO(body)
        self._read.put((environ, [answering]))

    def _work(self) -> None:
        while True:
            self._answer(*self._read.get())

    def _answer(self, environ: Environ, held: Held) -> None:
        try:
            self._call(environ, held)
        except Exception:
            log.exception("unanswered_request")
            if held:
                held.pop().response_bytes(500, [], b"")

    def _call(self, environ: Environ, held: Held) -> None:
        status, fields = 500, list[tuple[str, str]]()

        def start_response(line: str, given: Fields, error: object = None) -> None:
            nonlocal status, fields
            status, fields = int(line[:3]), given

        result = self._application(environ, start_response)
        try:
            if isinstance(result, File) and (place := result.place()) is not None:
                held.pop().response_file_range(status, fields, *place)
            else:
                body = b"".join(result)
                held.pop().response_bytes(status, fields, body)
        finally:
            if (close := getattr(result, "close", None)) is not None:
                close()

    def _environ(self, scope: Scope) -> Environ:
        environ = self._base.copy()
        path = scope.path
        environ["REQUEST_METHOD"] = scope.method
        environ["PATH_INFO"] = path if path.isascii() else path.encode().decode("latin-1")
        environ["QUERY_STRING"] = scope.query_string
        environ["SERVER_PROTOCOL"] = f"HTTP/{scope.http_version}"
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _host_and_port(scope.server)
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = _host_and_port(scope.client)
        environ["wsgi.url_scheme"] = scope.scheme
        environ["wsgi.input"] = BytesIO()
        for name, value in scope.headers.items():
            written = _names.get(name) or _written(name)
            if written in environ and written.startswith("HTTP_"):
                environ[written] = f"{environ[written]},{value}"
            elif written:
                environ[written] = value
        return environ


_names = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def _written(name: str) -> str:
    """As WSGI writes it; nothing for a field that is dropped."""
    written = "" if "_" in name else "HTTP_" + name.upper().replace("-", "_")
    if len(_names) < MAX_NAMES and written:
        _names[name] = written
    return written


def _host_and_port(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port


def _announced(environ: Environ) -> int | None:
    """The body's length; None where it is not known beforehand, 0 where there is no body."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    length = environ.get("CONTENT_LENGTH", "")
    return int(length) if length.isdigit() else 0


def _more(answering: Answering) -> More:
    pieces = aiter(answering)

    async def more() -> bytes | None:
        try:
            return await anext(pieces)
        except StopAsyncIteration:
            return None

    return more


def _tell(problem: Problem, path: str, answering: Answering) -> None:
    fields, body = told(problem, path)
    answering.response_bytes(problem.status, [(name.decode(), value.decode()) for name, value in fields], body)
