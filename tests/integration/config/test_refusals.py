"""What uvicorn refuses before there is a request is a problem document, like every other error."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvicorn

from config.asgi_front import BoundedProtocol
from deploy.supervisor.processes import wait_until

LONG = b"x" * 70_000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the protocol of `make run`, and an application that answers nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_answer, http=BoundedProtocol, ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    assert wait_until(lambda: server.started, seconds=20)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    listening.close()


came: list[object] = []
"""The requests that the application was given."""


async def _answer(scope: object, receive: Callable[[], Awaitable[dict[str, object]]], send: object) -> None:
    """Answers nothing, and ends with the connection: an error of its own would be told long after its test."""
    came.append(scope)
    while (await receive())["type"] != "http.disconnect":
        pass


def answer_to(port: int, sent: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < _length(received):
            received += client.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    named = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    return int(status.split()[1]), named, json.loads(body)


def _length(received: bytes) -> int:
    fields = received.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next(int(field.partition(b":")[2]) for field in fields if field.startswith(b"content-length"))


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (b"nonsense\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbad field\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400, "bad-request"),
        (b"GET /" + LONG, 414, "uri-too-long"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + LONG, 431, "headers-too-large"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", 501, "not-implemented"),
    ],
)
def test_it_is_told_as_a_problem(port: int, sent: bytes, status: int, kind: str) -> None:
    came.clear()
    told, fields, body = answer_to(port, sent)
    assert came == []
    assert (told, fields["content-type"], fields["connection"]) == (status, "application/problem+json", "close")
    assert fields["x-content-type-options"] == "nosniff"
    assert (body["type"], body["status"], body["instance"]) == (f"/problems/{kind}", status, "*")
    assert body["title"]
    assert body["detail"]
    assert body["code"]
    assert body["request_id"] == fields["x-request-id"]


def test_where_no_problem_can_be_told_the_connection_just_ends(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """An answer to HEAD has no body."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n")
        received = b""
        while piece := client.recv(65_536):
            received += piece
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.endswith(b"\r\n\r\n")
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
