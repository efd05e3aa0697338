"""Readers of the public stream: real sockets, and a stream that is handed its signals by a test."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import patch

from accounts.models import User
from feed.live.channels import channels
from feed.live.registry import registry
from feed.live.streams.public import PublicStream
from feed.live.threads import housekeeping
from tests.integration.feed.sockets import Socket, delivered
from tests.integration.tweeting import viewer
from tests.people import ApiClient


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def act(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Acts as people do, and then as workers do, while sockets are open."""
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def opened(*readers: User, after: str | None = None) -> list[Socket]:
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open(stream="public", after=after)
    return sockets


def page_of(reader: User, query: str = "") -> list[dict[str, Any]]:
    """What GET /feed/public shows to them."""
    data: list[dict[str, Any]] = ApiClient(reader).get(f"/api/v1/feed/public?limit=100{query}").json()["data"]
    return data


class Told:
    """A stream of somebody's, and the frames that its client was sent."""

    def __init__(self, person: User) -> None:
        self.person = person
        self.frames: list[Any] = []
        self.stream = PublicStream(viewer(person), self._send)

    async def _send(self, frame: Any) -> None:
        self.frames.append(frame)

    async def subscribe(self, *, after: int | None, watermark: int) -> None:
        registry.watermark = watermark
        with patch.object(channels, "hear"):
            await self.stream.open(after, watermark)
        await self.stream.begin()

    def ids(self) -> list[int]:
        return [int(frame.tweet.id) for frame in self.frames if hasattr(frame, "tweet")]
