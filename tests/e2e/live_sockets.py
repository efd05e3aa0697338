"""Sockets of the live feed, as clients have them."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from deploy.supervisor.processes import wait_until
from tests.e2e.conftest import Person, Server

FRAME_SECONDS = 60.0
"""How long the next frame may take: fan-out by a worker is on the way."""
on_one_store = pytest.mark.parametrize("server", ["embedded"], indirect=True)
"""For what happens before any store is asked."""

Frame = dict[str, Any]


class Live:
    """One socket, and what it says."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, kind: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **fields}))

    def next(self, seconds: float = FRAME_SECONDS) -> Frame:
        frame: Frame = json.loads(self.connection.recv(timeout=seconds))
        return frame

    def ready(self) -> "Live":
        assert self.next() == {"type": "ready"}
        return self

    def subscribe(self, after: str | None = None, *, stream: str = "home") -> "Live":
        self.send("subscribe", stream=stream, **({} if after is None else {"after": after}))
        assert self.next() == {"type": "subscribed", "stream": stream}
        return self

    def tweets(self, count: int) -> list[Frame]:
        frames = [self.next() for _ in range(count)]
        assert [(frame["type"], frame["stream"]) for frame in frames] == [("tweet", "home")] * count
        return frames

    def ids(self, count: int) -> list[str]:
        return [frame["tweet"]["id"] for frame in self.tweets(count)]

    def frames_until(self, tweet_id: str) -> list[Frame]:
        """The tweets that come, up to and with this one."""
        frames = self.tweets(1)
        while frames[-1]["tweet"]["id"] != tweet_id:
            frames += self.tweets(1)
        return frames

    def until(self, tweet_id: str) -> list[str]:
        """Their ids, each once, as a client has them that drops what it has seen."""
        return list(dict.fromkeys(frame["tweet"]["id"] for frame in self.frames_until(tweet_id)))

    def has_nothing_more(self) -> bool:
        """Whether what it says next is the answer to a ping of now."""
        self.send("ping")
        return self.next() == {"type": "pong"}

    def close_code(self, seconds: float = FRAME_SECONDS) -> int:
        """The code that it is closed with, whatever is said before."""
        deadline = time.monotonic() + seconds
        with suppress(ConnectionClosed):
            while True:
                self.connection.recv(timeout=deadline - time.monotonic())
        code = self.connection.close_code
        assert code is not None
        return code


Opener = Callable[..., Live]


def opener(server: Server, connections: ExitStack) -> Opener:
    """Returns what opens sockets; `connections` closes what a test left open."""
    address = f"ws://{urlsplit(server.url).netloc}/ws/feed"

    def open_one(
        token: str | None = None, *, protocols: list[str] | None = None, origin: str | None = None, **options: Any
    ) -> Live:
        connecting = connect(
            options.pop("address", address),
            additional_headers=None if token is None else {"Authorization": f"Bearer {token}"},
            subprotocols=[Subprotocol(each) for each in protocols] if protocols is not None else None,
            origin=Origin(origin) if origin is not None else None,
            **options,
        )
        return Live(connections.enter_context(connecting))

    return open_one


def follower_of(server: Server, *authors: Person) -> Person:
    reader = server.sign_up()
    for author in authors:
        reader.follow(author)
    return reader


def cursor_of(reader: Person, *tweets: str) -> str:
    """The cursor above the reader's first page, once the tweets are on it."""

    def have_come() -> bool:
        return {*tweets} <= {tweet["id"] for tweet in reader.home()["data"]}

    assert wait_until(have_come, seconds=FRAME_SECONDS)
    cursor = reader.home()["meta"]["prev_cursor"]
    assert isinstance(cursor, str)
    return cursor


def small_socket(server: Server) -> socket.socket:
    """A connected socket that buffers next to nothing."""
    parts = urlsplit(server.url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.connect((parts.hostname, parts.port))
    return raw
