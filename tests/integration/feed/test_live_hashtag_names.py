"""Ways to write one hashtag are one stream of a socket: each is answered, and any of them ends it."""

import asyncio

import pytest

from feed.live.threads import housekeeping
from tests.ids import new_id
from tests.integration.feed.sockets import Socket, delivered
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.mark.parametrize("at_once", [True, False])
def test_two_ways_to_write_one_hashtag(at_once: bool) -> None:
    author, reader = new_person(), new_person()
    tag = f"Berlin{new_id()}"
    names = [f"hashtag:{tag}", f"hashtag:{tag.lower()}"]

    async def scenario() -> None:
        socket = await housekeeping(Socket, reader)
        await socket.sign_in()
        if at_once:
            for name in names:
                await socket.say(type="subscribe", stream=name)
            assert [await socket.frame() for _ in names] == [{"type": "subscribed", "stream": name} for name in names]
        else:
            for name in names:
                await socket.subscribe(name)
        tweet = await housekeeping(post, author, f"#{tag}")
        await delivered()
        frame = await socket.frame()
        assert (frame["tweet"]["id"], frame["stream"]) == (str(tweet), names[1])
        await socket.say(type="unsubscribe", stream=names[0])
        await housekeeping(post, author, f"#{tag}")
        await delivered()
        await socket.subscribe("hashtag:another")
        await socket.close()

    asyncio.run(scenario())
