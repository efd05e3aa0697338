"""Over HTTP the live server says how it is, and nothing else."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.config.servers import HOST, Client, get, half_sent, serving, status

SECONDS = 5.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving("live", tmp_path_factory.mktemp("live")) as port:
        yield port


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz", b"/metrics"])
def test_it_says_how_it_is(live: int, path: bytes) -> None:
    assert status(get(live, path)) == 200


@pytest.mark.parametrize(
    "path",
    [b"/", b"/admin/", b"/admin/login/", b"/graphql", b"/api/v1/public", b"/api/docs/", b"/ws/feed"],
)
def test_other_paths_are_not_here(live: int, path: bytes) -> None:
    head, _, body = get(live, path).partition(b"\r\n\r\n")
    assert status(head) == 404
    assert b"application/problem+json" in head
    told = json.loads(body)
    assert (told["type"], told["instance"]) == ("/problems/not-found", path.decode())


@pytest.mark.parametrize("path", [b"/healthz", b"/metrics", b"/graphql", b"/api/v1/tweets"])
def test_no_body_is_waited_for(live: int, path: bytes) -> None:
    client = half_sent(live, path)
    assert status(client.answer()) == 404
    assert client.seconds() < SECONDS


def test_a_probe_with_a_body_is_answered_before_it(live: int) -> None:
    client = Client(live).send(b"GET /healthz HTTP/1.1\r\n%bContent-Length: 1000000000\r\n\r\nx" % HOST)
    assert client.socket.recv(15) == b"HTTP/1.1 200 OK"
    assert client.seconds() < SECONDS
