"""Streams of one tweet in tests: opened, read, and ended."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from accounts.models import User
from feed.live.threads import housekeeping
from tests.integration.feed.sockets import Socket
from tests.people import ApiClient

NOTHING = {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0}


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def opened(tweet: int, *readers: User, after: str | None = None) -> list[Socket]:
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open(stream=f"tweet:{tweet}", after=after)
    return sockets


async def close(*sockets: Socket) -> None:
    for socket in sockets:
        await socket.close()


async def counts_until(socket: Socket, **expected: int) -> list[dict[str, int]]:
    """The counts that are told, up to those; replies that come in between are passed over."""
    told: list[dict[str, int]] = []
    while not told or told[-1] != NOTHING | expected:
        frame = await socket.frame()
        assert frame["type"] in ("counts", "tweet"), frame
        if frame["type"] == "counts":
            told.append(frame["counts"])
    return told


async def reply_of(socket: Socket) -> dict[str, Any]:
    """The next reply; counts that come in between are passed over."""
    while (frame := await socket.frame())["type"] == "counts":
        continue
    assert frame["type"] == "tweet", frame
    return frame


async def ended(socket: Socket, tweet: int) -> None:
    """The stream ends, and its tweet leaves the screen."""
    while (frame := await socket.frame())["type"] == "counts":
        continue
    assert frame == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(tweet)}


def without_counts(tweet: dict[str, Any]) -> dict[str, Any]:
    """A tweet, without what changes while the others are written."""
    quoted = tweet["quote_of"]
    return tweet | {"counts": None, "quote_of": quoted and without_counts(quoted)}


def read(path: str, reader: User) -> Any:
    return ApiClient(reader).get(f"/api/v1{path}").json()
