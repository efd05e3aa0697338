"""Whoever sends slowly, without end, or not at all waits for nobody but themselves, at every server of the product.

The times are real ones, so clients of one test wait side by side.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.integration.config.servers import (
    HOST,
    NAMES,
    PATIENCE,
    Client,
    get,
    half_sent,
    sent_before_the_end,
    serving,
    status,
)

HALF_SENT = 100
"""More than any of them has threads, or a client's address may have bodies under way."""
LATE_SECONDS = 5.0
"""Nobody else's answer takes so long, even where tests share two cores."""
MOST = 32 * 1024 * 1024
TAKEN = 8 * 1024 * 1024
"""What is read of an endless body, and what the system's own buffers hold."""


@pytest.fixture(scope="module", params=NAMES)
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(request.param, tmp_path_factory.mktemp("server")) as port:
        yield port


reads_bodies = pytest.mark.parametrize("port", ["one port", "web"], indirect=True)
"""Of those that read bodies; the same servers."""


@reads_bodies
def test_half_sent_requests_block_nobody_and_are_answered_408(port: int) -> None:
    slow = [half_sent(port) for _ in range(HALF_SENT)]
    for _ in range(20):
        other = Client(port).send(b"GET /healthz HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST)
        assert status(other.answer()) == 200
        assert other.seconds() < LATE_SECONDS
    whole = b"POST /nowhere HTTP/1.1\r\n%bConnection: close\r\nContent-Length: 2\r\n\r\n{}" % HOST
    assert status(Client(port).send(whole).answer()) == 404
    for client in slow:
        told, _, body = client.answer().partition(b"\r\n\r\n")
        assert status(told) == 408
        assert json.loads(body)["type"] == "/problems/too-slow"
        assert client.seconds() < PATIENCE


@reads_bodies
def test_a_byte_now_and_then_does_not_keep_a_body_open(port: int) -> None:
    client, over = half_sent(port), Event()

    def drip() -> None:
        while not over.wait(0.2):
            try:
                client.send(b"1\r\nx\r\n")
            except OSError:
                return

    with ThreadPoolExecutor(1) as pool:
        pool.submit(drip)
        try:
            assert status(client.answer()) == 408
        finally:
            over.set()
    assert client.seconds() < PATIENCE


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"BREW"])
@pytest.mark.parametrize("path", [b"/healthz", b"/nowhere", b"/admin/login/", b"/static/admin/css/base.css"])
def test_a_body_without_end_ends_the_connection(port: int, method: bytes, path: bytes) -> None:
    assert sent_before_the_end(port, method, path, most=MOST) < TAKEN


def test_a_body_that_nobody_reads_ends_the_connection(port: int) -> None:
    client = Client(port).send(b"GET /healthz HTTP/1.1\r\n%bContent-Length: 1000\r\n\r\nhalf" % HOST)
    assert status(client.answer()) == 200


@reads_bodies
def test_who_waits_to_be_told_to_go_on_is_answered_in_time(port: int) -> None:
    waiting = b"POST /nowhere HTTP/1.1\r\n%bExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    small, large = Client(port).send(waiting % (HOST, 9)), Client(port).send(waiting % (HOST, 70_000))
    assert status(large.answer()) == 413
    first, _, then = small.answer().partition(b"\r\n\r\n")
    assert (status(first), status(then)) == (100, 408)


@reads_bodies
def test_a_body_that_is_too_large_is_413_whether_it_was_announced_or_not(port: int) -> None:
    announced = b"POST /nowhere HTTP/1.1\r\n%bConnection: close\r\nContent-Length: 70000\r\n\r\n" % HOST
    chunked = b"POST /nowhere HTTP/1.1\r\n%bConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n" % HOST
    assert status(Client(port).send(announced + b"x" * 70_000).answer()) == 413
    assert status(Client(port).send(chunked + b"x" * 70_000 + b"\r\n0\r\n\r\n").answer()) == 413


def test_headers_that_do_not_come_end_the_connection(port: int) -> None:
    silent, half, idle = Client(port), Client(port).send(b"GET /healthz HTTP/1.1\r\nHo"), get(port)
    assert status(idle) == 200
    assert silent.answer() == b""
    assert half.answer()[:12] in (b"", b"HTTP/1.1 408")
    assert max(silent.seconds(), half.seconds()) < PATIENCE


def test_a_field_with_an_underscore_is_not_taken_for_another(port: int) -> None:
    """The id of the request shows it: a sane one of the client's is kept."""
    assert b"mine-with-hyphens" in get(port, b"/healthz", b"X-Request-ID: mine-with-hyphens")
    answer = get(port, b"/healthz", b"X_Request_ID: mine-with-underscores")
    assert status(answer) == 200
    assert b"mine-with-underscores" not in answer
