"""A socket lives through an outage of the timelines' Redis: it pauses, and then nothing was skipped."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from accounts.graph import follows
from deploy.valkey import Valkey
from feed.live import listener as listener_module
from feed.live.listener import listener
from feed.live.threads import housekeeping
from storage.redis.node import timeline_node
from tests.backends import connected_anew
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.tweeting import post
from tests.outages import server_down
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Whoever asks a hung Redis waits for a second."""
    with connected_anew(timeline_node(), timeout_seconds=1.0):
        yield


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


def test_what_was_published_while_a_connection_was_broken_for_a_moment_comes_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Redis is there all the time, and knows who is present: nothing but the end of the connection tells of it."""
    monkeypatch.setattr(listener_module, "SILENCE_SECONDS", 600.0)
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    socket = Socket(reader)

    def breaks() -> int:
        timeline_node().round_trip(("CLIENT", "KILL", "TYPE", "pubsub"))
        during = post(author)
        work_off_everything()
        return during

    async def lives_through_it() -> None:
        await socket.open()
        before = await housekeeping(post, author)
        await delivered()
        assert await socket.until(before) == [before]
        with ThreadPoolExecutor(1) as thread:
            during = thread.submit(breaks).result()  # meanwhile this process stands still
        assert during in await socket.until(during)
        await socket.close()

    asyncio.run(lives_through_it())
