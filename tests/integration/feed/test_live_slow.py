"""A client that does not read: it is told where to page on, or ended, and holds up nobody else."""

import asyncio
from typing import Any

import pytest

from accounts.models import User
from feed.live.frames import CloseCode
from feed.live.threads import housekeeping
from tests.integration.feed.sockets import SlowSocket, Socket, delivered
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets may lag behind by next to nothing."""
    monkeypatch.setattr("feed.live.queues.QUEUE_SIZE", 4)
    monkeypatch.setattr("feed.live.queues.MOST_ASKED", 2)
    monkeypatch.setattr("feed.live.listener.BEAT_SECONDS", 0.01)


class Two:
    """A slow client's socket and another one's, and somebody who posts."""

    def __init__(self) -> None:
        self.author, self.reader = new_person(), new_person()
        self.slow, self.other = SlowSocket(self.reader), Socket(new_person())

    async def open(self) -> None:
        for socket in (self.slow, self.other):
            await socket.open(stream="public")
        self.slow.reads.clear()

    async def post(self) -> int:
        """Posts, which the other one is told."""
        tweet = await housekeeping(post, self.author)
        await delivered()
        assert await self.other.until(tweet) == [tweet]
        return tweet


def since(reader: User, cursor: str) -> set[int]:
    page: dict[str, Any] = ApiClient(reader).get(f"/api/v1/feed/public?limit=100&since={cursor}").json()
    return {int(tweet["id"]) for tweet in page["data"]}


def test_it_is_told_to_page_and_the_others_are_told_meanwhile() -> None:
    two = Two()

    async def scenario() -> None:
        await two.open()
        ids = [await two.post() for _ in range(8)]
        two.slow.reads.set()
        first, gap = await two.slow.frame(), await two.slow.frame()
        assert (first["tweet"]["id"], gap["type"]) == (str(ids[0]), "gap")
        assert len(await two.slow.until(ids[-1])) < len(ids) - 1, "what it was too slow for was dropped"
        assert set(ids[1:]) <= await housekeeping(since, two.reader, gap["after"])
        for socket in (two.slow, two.other):
            await socket.close()

    asyncio.run(scenario())


def test_one_that_asks_on_and_on_is_ended_and_the_others_are_told_on() -> None:
    two = Two()

    async def scenario() -> None:
        await two.open()
        await two.post()
        await two.slow.waits.wait()
        for number in range(20):
            await two.slow.say(type="unsubscribe", stream=f"tweet:{number + 1}")
        for _ in range(2):
            await two.post()
        for number in range(4):
            for kind in ("subscribe", "unsubscribe"):
                await two.slow.say(type=kind, stream=f"tweet:{number + 1}")
        assert await two.slow.closed() == CloseCode.TOO_MANY
        await two.post()
        await two.other.close()

    asyncio.run(scenario())
