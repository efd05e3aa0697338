"""A socket lives through an outage of the timelines' Redis: it pauses, and then nothing was skipped."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from accounts.graph import follows
from accounts.models import User
from accounts.sessions import tokens
from config.asgi import websocket
from deploy.valkey import Valkey
from feed.live import listener as listener_module
from feed.live.listener import listener
from feed.live.threads import housekeeping
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from tests.backends import connected_anew
from tests.integration.tweeting import post
from tests.outages import server_down
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")

SECONDS = 60.0
"""For anything to happen; much longer than it takes."""


class Socket:
    """One socket of the live server, in this process."""

    def __init__(self, person: User) -> None:
        token = f"Bearer {tokens.issue(person)}".encode()
        scope = {"type": "websocket", "path": "/ws/feed", "headers": [(b"authorization", token)], "subprotocols": []}
        untyped: Any = ApplicationCommunicator
        self._communicator = untyped(websocket, scope)

    async def open(self) -> None:
        await self._communicator.send_input({"type": "websocket.connect"})
        assert (await self._communicator.receive_output(SECONDS))["type"] == "websocket.accept"
        assert (await self._frame())["type"] == "ready"
        await self._say(type="subscribe", stream="home")
        assert (await self._frame())["type"] == "subscribed"

    async def until(self, tweet: int) -> list[int]:
        """The tweets that come, each once, as a client has them that drops what it has seen."""
        found: list[int] = []
        while tweet not in found:
            frame = await self._frame()
            assert frame["type"] == "tweet", frame
            found.append(int(frame["tweet"]["id"]))
        return list(dict.fromkeys(found))

    async def close(self) -> None:
        await self._communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._communicator.wait(SECONDS)

    async def _say(self, **frame: Any) -> None:
        await self._communicator.send_input({"type": "websocket.receive", "text": json.dumps(frame)})

    async def _frame(self) -> dict[str, Any]:
        sent = await self._communicator.receive_output(SECONDS)
        assert sent["type"] == "websocket.send", sent
        frame: dict[str, Any] = json.loads(sent["text"])
        return frame


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Whoever asks a hung Redis waits for a second."""
    with connected_anew(timeline_node(), timeout_seconds=1.0):
        yield


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def delivered() -> None:
    """Workers get on with everything that is open, as soon as Redis lets them."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            await housekeeping(work_off_everything)
            return
        except Unavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("how", ["dead", "hung"])
def test_what_was_posted_while_redis_was_down_comes_when_it_is_back(
    timeline_redis: Valkey, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what workers have delivered before this process listens again."""
    monkeypatch.setattr(listener_module, "RECONNECT_SECONDS", 3.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    async def lives_through_it() -> None:
        await socket.open()
        before = await housekeeping(post, author)
        await delivered()
        assert await socket.until(before) == [before]
        with ExitStack() as down:
            down.enter_context(server_down(timeline_redis, how))
            during = await housekeeping(post, author)
            await until(lambda: not listener._subscribed.is_set())
        await delivered()
        after = await housekeeping(post, author)
        await delivered()
        assert [each for each in await socket.until(after) if each != before] == [during, after]
        await socket.close()

    asyncio.run(lives_through_it())


def test_what_was_pushed_while_an_emptied_redis_knew_of_nobody_comes_too(timeline_redis: Valkey) -> None:
    """Nobody is told of it at once: the reader's presence is made good some seconds later, and then replayed."""
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    async def lives_through_it() -> None:
        await socket.open()
        await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
        during = await housekeeping(post, author)
        await delivered()
        assert await socket.until(during) == [during]
        await socket.close()

    asyncio.run(lives_through_it())
