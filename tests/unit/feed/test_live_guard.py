"""What stands around a socket, whatever application serves it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from feed.live import guard
from feed.live.frames import CloseCode
from feed.live.guard import FRAMES_A_WINDOW, Ended, Guarded, Message, guard_of
from feed.live.places import Places

TEXT = {"type": "websocket.receive", "text": "{}"}
GONE = {"type": "websocket.disconnect", "code": 1005}


class Client:
    """A socket of a server: what it was sent, and what it says."""

    def __init__(self, **scope: Any) -> None:
        self.sent: list[Message] = []
        self.says: asyncio.Queue[Message] = asyncio.Queue()
        self.scope = {"type": "websocket", "headers": [], "subprotocols": [], "client": ("203.0.113.7", 1), **scope}

    async def receive(self) -> Message:
        return await self.says.get()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.says.put_nowait(GONE)

    def codes(self) -> list[int]:
        return [message["code"] for message in self.sent if message["type"] == "websocket.close"]


async def listen(scope: Any, receive: Any, send: Any) -> None:
    """Reads until the client is gone; a client signs in by saying so."""
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["text"] == "sign in":
            guard_of(scope).sign_in(7)
        await send({"type": "websocket.send", "text": "heard"})


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Places:
    """None is taken."""
    settings.RATE_LIMITS = True
    empty = Places()
    monkeypatch.setattr(guard, "places", empty)
    return empty


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_who_signs_in_stays_and_who_does_not_is_closed(monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
    monkeypatch.setattr(guard, "AUTH_SECONDS", 0.05)

    async def scenario() -> None:
        silent, known = Client(), Client()
        known.says.put_nowait({**TEXT, "text": "sign in"})
        listening = asyncio.create_task(Guarded(listen)(known.scope, known.receive, known.send))
        await Guarded(listen)(silent.scope, silent.receive, silent.send)
        assert silent.codes() == [4408]
        assert known.codes() == []
        known.says.put_nowait(GONE)
        await listening
        assert not places._all.total

    run(scenario)


def test_too_many_frames_end_it_and_are_not_handed_on(places: Places) -> None:
    async def scenario() -> None:
        client = Client()
        for _ in range(FRAMES_A_WINDOW + 50):
            client.says.put_nowait(TEXT)
        await Guarded(listen)(client.scope, client.receive, client.send)
        assert client.codes() == [4429]
        assert len(client.sent) == FRAMES_A_WINDOW + 1
        assert not places._unsigned.total

    run(scenario)


def test_nothing_is_sent_after_the_end_and_a_place_is_given_back_however_it_ends(places: Places) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 4400})
        await guard_of(scope).close(CloseCode.TOO_MANY)
        with pytest.raises(Ended):
            await send({"type": "websocket.send", "text": "late"})
        raise KeyError

    async def scenario() -> None:
        client = Client()
        with pytest.raises(KeyError):
            await Guarded(fail)(client.scope, client.receive, client.send)
        assert client.codes() == [4400]
        assert not places._all.total

    run(scenario)


def test_who_finds_no_place_is_told_and_in_a_flood_is_not_let_in(settings: Settings, places: Places) -> None:
    settings.MAX_UNSIGNED_BY_ADDRESS = 1
    places.come("203.0.113.7")
    answering: dict[str, Any] = {"websocket.http.response": {}}

    async def scenario() -> None:
        guarded = Guarded(listen)
        clients = [Client(subprotocols=["feed.v1"], extensions=answering) for _ in range(60)]
        for client in clients:
            await guarded(client.scope, client.receive, client.send)
        told, refused = clients[:50], clients[50:]
        assert [client.codes() for client in told] == [[4429]] * 50
        assert {client.sent[0]["subprotocol"] for client in told} == {"feed.v1"}
        assert [client.sent[0].get("status") for client in refused] == [503] * 10
        assert all((b"x-content-type-options", b"nosniff") in client.sent[0]["headers"] for client in refused)
        other = Client(client=("203.0.113.8", 1))
        other.says.put_nowait(GONE)
        await guarded(other.scope, other.receive, other.send)
        assert other.sent == []

    run(scenario)


@pytest.mark.parametrize("extensions", [{"websocket.http.response": {}}, {}])
def test_a_process_that_is_full_lets_nobody_in(settings: Settings, places: Places, extensions: dict[str, Any]) -> None:
    settings.MAX_SOCKETS = 1
    places.come("203.0.113.8")

    async def scenario() -> None:
        client = Client(extensions=extensions)
        await Guarded(listen)(client.scope, client.receive, client.send)
        types = ["websocket.http.response.start", "websocket.http.response.body"] if extensions else ["websocket.close"]
        assert [message["type"] for message in client.sent] == types

    run(scenario)


def test_behind_a_proxy_the_clients_address_counts(settings: Settings, places: Places) -> None:
    settings.TRUSTED_PROXIES = 1
    settings.MAX_UNSIGNED_BY_ADDRESS = 1
    places.come("198.51.100.1")

    async def scenario() -> None:
        for forwarded, codes in (([b"198.51.100.2, 198.51.100.1"], [4429]), ([b"198.51.100.1", b"198.51.100.2"], [])):
            client = Client(headers=[(b"x-forwarded-for", each) for each in forwarded])
            client.says.put_nowait(GONE)
            await Guarded(listen)(client.scope, client.receive, client.send)
            assert client.codes() == codes

    run(scenario)
