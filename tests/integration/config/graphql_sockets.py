"""GraphQL sockets of the live server in this process, as clients have them."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.testing import ApplicationCommunicator

from accounts.models import User
from accounts.sessions import tokens
from config.asgi import websocket
from config.graphql.messages import PROTOCOL
from tests.integration.feed.sockets import SECONDS

EVENT = "cursor deletedId gapAfter counts { id likes } tweet { id text author { username } }"
SUBSCRIBE = f"subscription Home($after: String) {{ homeTimeline(after: $after) {{ {EVENT} }} }}"

Message = dict[str, Any]


class GraphQLSocket:
    """One socket, not open yet."""

    def __init__(self, *, protocols: tuple[str, ...] = (PROTOCOL,), **headers: str) -> None:
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": "/graphql", "headers": fields, "subprotocols": list(protocols)}
        untyped: Any = ApplicationCommunicator
        self._communicator = untyped(websocket, scope)

    async def open(self) -> "GraphQLSocket":
        await self._communicator.send_input({"type": "websocket.connect"})
        accepted = await self._communicator.receive_output(SECONDS)
        assert accepted["type"] == "websocket.accept"
        assert accepted["subprotocol"] in (PROTOCOL, None)
        return self

    async def say(self, kind: str, **fields: Any) -> None:
        await self.say_text(json.dumps({"type": kind, **fields}))

    async def say_text(self, text: str | None, **more: Any) -> None:
        await self._communicator.send_input({"type": "websocket.receive", "text": text, **more})

    async def message(self) -> Message:
        sent = await self._communicator.receive_output(SECONDS)
        assert sent["type"] == "websocket.send", sent
        message: Message = json.loads(sent["text"])
        return message

    async def begin(self, token: str) -> None:
        await self.say("connection_init", payload={"authorization": f"Bearer {token}"})
        assert await self.message() == {"type": "connection_ack"}

    async def subscribe(self, name: str = "1", query: str = SUBSCRIBE, **payload: Any) -> None:
        """Subscribes; what happens from now on is told, unless the answer is a refusal, which then is next."""
        await self.say("subscribe", id=name, payload={"query": query, **payload})

    async def subscribed(self, name: str = "1", query: str = SUBSCRIBE, **payload: Any) -> None:
        await self.subscribe(name, query, **payload)
        await self.is_silent()

    async def is_silent(self) -> None:
        """What it says next is the answer to a ping of now."""
        await self.say("ping")
        assert await self.message() == {"type": "pong"}

    async def event(self, name: str = "1") -> Any:
        """What happened next, without what is null."""
        message = await self.message()
        assert (message["type"], message["id"]) == ("next", name), message
        assert message["payload"].keys() == {"data"}, message
        [event] = message["payload"]["data"].values()
        return {field: value for field, value in event.items() if value is not None}

    async def until(self, tweet: int, name: str = "1") -> list[int]:
        """The tweets that come, each once, as a client has them that drops what it has seen."""
        found: list[int] = []
        while tweet not in found:
            found.append(int((await self.event(name))["tweet"]["id"]))
        return list(dict.fromkeys(found))

    async def refused(self, name: str = "1") -> list[tuple[str, str]]:
        """The code and words of each error with which the subscription is refused, or ended."""
        message = await self.message()
        assert (message["type"], message["id"]) == ("error", name), message
        assert all(error["extensions"]["requestId"] for error in message["payload"])
        return [(error["extensions"]["code"], error["message"]) for error in message["payload"]]

    async def completed(self, name: str = "1") -> None:
        """The server has nothing more to tell of the subscription."""
        assert await self.message() == {"type": "complete", "id": name}

    async def closed(self) -> int:
        """The code with which the server closes it, next."""
        sent = await self._communicator.receive_output(SECONDS)
        assert sent["type"] == "websocket.close", sent
        return int(sent["code"])

    async def close(self) -> None:
        await self._communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._communicator.wait(SECONDS)


async def opened(token: str) -> GraphQLSocket:
    """A socket that has signed in."""
    socket = await GraphQLSocket().open()
    await socket.begin(token)
    return socket


def token_of(person: User) -> str:
    return tokens.issue(person)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs it on a loop of its own."""
    asyncio.run(scenario())
