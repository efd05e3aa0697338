"""What an ended socket kept is given back at once, without waiting for Python to look for cycles."""

import asyncio
import gc
import weakref
from collections.abc import Coroutine, Iterator
from typing import Any, cast
from unittest.mock import patch

import pytest

from fanout.live.figures import live_figures
from feed.live.rechecking import rechecking
from feed.live.registry import registry
from feed.live.threads import housekeeping
from tests.integration.config.graphql_sockets import opened, token_of
from tests.integration.feed.sockets import Socket, until
from tests.integration.speaking import on_one_store
from tests.people import new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

HOME = "subscription { homeTimeline { __typename } }"


@pytest.fixture
def no_cycles_found() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def kept_now() -> list[weakref.ref[Any]]:
    """The sockets of this process, with the streams and the queues of each."""
    await until(lambda: bool(list(registry.streams())))
    streams = [part for pair in registry.streams() for part in pair]
    return [weakref.ref(each) for each in (*rechecking._sockets, *streams)]


async def a_feed_socket() -> list[weakref.ref[Any]]:
    socket = await housekeeping(lambda: Socket(new_person()))
    await socket.open()
    kept = await kept_now()
    await socket.close()
    return kept


async def a_graphql_socket() -> list[weakref.ref[Any]]:
    socket = await opened(await housekeeping(lambda: token_of(new_person())))
    await socket.subscribed(query=HOME)
    kept = await kept_now()
    await socket.close()
    return kept


@pytest.mark.parametrize("life", [a_feed_socket, a_graphql_socket])
@pytest.mark.usefixtures("no_cycles_found")
def test_an_ended_socket_is_no_cycle(life: Any) -> None:
    async def scenario(life: Coroutine[Any, Any, list[weakref.ref[Any]]]) -> None:
        kept = await life
        assert len(kept) >= 3
        await until(lambda: not any(each() is not None for each in kept))

    asyncio.run(scenario(life()))


def test_a_socket_keeps_no_headers_but_those_that_say_where_it_comes_from() -> None:
    async def scenario() -> None:
        socket = await housekeeping(lambda: Socket(new_person()))
        forwarded = (b"X-Forwarded-For", b"203.0.113.9")
        socket.scope["headers"] += [(b"user-agent", b"a browser"), forwarded]
        await socket.open()
        [kept] = [cast(Any, each).scope["headers"] for each in rechecking._sockets]
        assert kept == [forwarded]
        await socket.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("door", [a_feed_socket, a_graphql_socket])
def test_frames_and_sockets_are_counted(door: Any) -> None:
    before = live_figures.frames

    async def scenario() -> None:
        await door()
        assert live_figures.frames >= before + 2, "that the token is good, and that it is subscribed to"

    with patch.object(live_figures, "tell"):
        asyncio.run(scenario())
