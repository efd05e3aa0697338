"""Bad tokens of sockets are counted by address, with those of every other door."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django.fixtures import Settings

from accounts.sessions import bad_tokens
from config.asgi import websocket
from feed.live import rechecking
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy
from tests.ids import new_id
from tests.people import ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers", "limits_on")

NOT_AUTHENTICATED, TOO_MANY = 4401, 4429
ATTACKERS, OTHERS = "203.0.113.9", "192.0.2.1"


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(bad_tokens, "BAD_TOKENS", Policy("bad-token", 3, 60))
    timeline_node().round_trip(*(("DEL", key) for key in timeline_node().round_trip(("KEYS", "rate:*"))[0]))
    bad_tokens.forget()
    yield
    bad_tokens.forget()
    rate_limits._memory.storage.reset()


async def close_code(peer: str, *forwarded: str) -> int:
    """How a socket with a bad token ends."""
    headers = [(b"authorization", f"Bearer {new_id()}.{'0' * 64}".encode())]
    headers += [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "websocket", "path": "/ws/feed", "headers": headers, "subprotocols": [], "client": (peer, 1)}
    untyped: Any = ApplicationCommunicator
    communicator = untyped(websocket, scope)
    await communicator.send_input({"type": "websocket.connect"})
    while (sent := await communicator.receive_output(60))["type"] != "websocket.close":
        pass
    await communicator.send_input({"type": "websocket.disconnect", "code": sent["code"]})
    await communicator.wait(60)
    return int(sent["code"])


def test_an_address_that_sends_too_many_is_told_so() -> None:
    async def come() -> None:
        assert [await close_code(ATTACKERS) for _ in range(5)] == [NOT_AUTHENTICATED] * 3 + [TOO_MANY] * 2
        assert await close_code(ATTACKERS, "198.51.100.1") == TOO_MANY, "what it writes itself is not believed"
        assert await close_code(OTHERS) == NOT_AUTHENTICATED

    asyncio.run(come())


def test_behind_a_proxy_it_is_the_client_who_is_counted(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1

    async def come() -> None:
        spoofed = ["198.51.100.1", "198.51.100.2, " + ATTACKERS]
        assert [await close_code("10.0.0.1", *spoofed) for _ in range(4)] == [NOT_AUTHENTICATED] * 3 + [TOO_MANY]
        assert await close_code("10.0.0.1", OTHERS) == NOT_AUTHENTICATED

    asyncio.run(come())


def test_a_socket_that_was_let_in_is_not_closed_for_its_neighbours_bad_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own token is looked at all the same, in SQL if need be."""
    monkeypatch.setattr(rechecking, "RECHECK_SECONDS", 0.05)
    token = ApiClient(new_person()).token
    untyped: Any = ApplicationCommunicator
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "websocket", "path": "/ws/feed", "headers": headers, "subprotocols": [], "client": (ATTACKERS, 1)}

    async def come() -> None:
        communicator = untyped(websocket, scope)
        await communicator.send_input({"type": "websocket.connect"})
        assert (await communicator.receive_output(60))["type"] == "websocket.accept"
        assert "ready" in (await communicator.receive_output(60))["text"]
        assert [await close_code(ATTACKERS) for _ in range(4)][-1] == TOO_MANY
        bad_tokens._good.clear()
        keys = timeline_node().round_trip(("KEYS", "*:token:*"))[0]
        timeline_node().round_trip(*(("DEL", key) for key in keys))
        await asyncio.sleep(0.3)
        await communicator.send_input({"type": "websocket.receive", "text": '{"type":"ping"}'})
        assert "pong" in (await communicator.receive_output(60))["text"]
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait(60)

    asyncio.run(come())
