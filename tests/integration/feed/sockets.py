"""Sockets of the live server in this process, and the workers that tell them."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from asgiref.testing import ApplicationCommunicator

from accounts.models import User
from accounts.sessions import tokens
from config.asgi import websocket
from feed.live.guard import WIRE
from feed.live.threads import housekeeping
from feed.live.told import Frame
from storage.errors import Unavailable
from tests.documented import check_told
from tests.work import work_off_everything

SECONDS = 60.0
"""For anything to happen; much longer than it takes."""


class Socket:
    """One socket of the live server, in this process."""

    def __init__(self, person: User, application: Any = websocket, *, raw: str | None = None) -> None:
        """With a token of their own, unless one is given."""
        token = f"Bearer {raw or tokens.issue(person)}".encode()
        headers = [(b"authorization", token)]
        self.scope: dict[str, Any] = {"type": "websocket", "path": "/ws/feed", "headers": headers, "subprotocols": []}
        self.scope["extensions"] = self.extensions()
        untyped: Any = ApplicationCommunicator
        self._communicator = untyped(application, self.scope)

    def extensions(self) -> dict[str, Any]:
        """What the server offers beyond the protocol."""
        return {}

    async def open(self, *, stream: str = "home", after: str | None = None) -> None:
        await self.sign_in()
        await self.subscribe(stream, after=after)

    async def sign_in(self) -> None:
        await self.enter()
        assert (await self.frame())["type"] == "ready"

    async def enter(self) -> None:
        await self._communicator.send_input({"type": "websocket.connect"})
        assert (await self._communicator.receive_output(SECONDS))["type"] == "websocket.accept"

    async def subscribe(self, stream: str, *, after: str | None = None) -> None:
        await self.say(type="subscribe", stream=stream, **({} if after is None else {"after": after}))
        assert await self.frame() == {"type": "subscribed", "stream": stream}

    async def until(self, tweet: int) -> list[int]:
        """The tweets that come, each once, as a client has them that drops what it has seen."""
        found: list[int] = []
        while tweet not in found:
            frame = await self.frame()
            assert frame["type"] == "tweet", frame
            found.append(int(frame["tweet"]["id"]))
        return list(dict.fromkeys(found))

    async def heard(self, last: int) -> list[tuple[str, int]]:
        """What comes before a tweet: what each frame is, and of which entry."""
        found: list[tuple[str, int]] = []
        while True:
            frame = await self.frame()
            entry = int(frame["id"] if frame["type"] == "delete" else frame["tweet"]["id"])
            if entry == last:
                return found
            found.append((frame["type"], entry))

    async def deleted(self, count: int) -> list[int]:
        """The next frames, which are so many deletions; the ids."""
        frames = [await self.frame() for _ in range(count)]
        assert [(frame["type"], frame["stream"]) for frame in frames] == [("delete", "home")] * count
        return [int(frame["id"]) for frame in frames]

    async def close(self) -> None:
        await self._communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._communicator.wait(SECONDS)

    async def closed(self) -> int:
        """The code with which the server closes it, next."""
        sent = await self._communicator.receive_output(SECONDS)
        assert sent["type"] == "websocket.close", sent
        return int(sent["code"])

    async def closed_at_last(self) -> int:
        """The same, whatever it is told before."""
        while (sent := await self._communicator.receive_output(SECONDS))["type"] == "websocket.send":
            check_told(json.loads(sent["text"]))
        return int(sent["code"])

    def arrived(self) -> list[dict[str, Any]]:
        """The frames that have come and were not taken yet; of a socket that was closed `{"type": "closed"}` last."""
        found: list[dict[str, Any]] = []
        while not self._communicator.output_queue.empty():
            sent = self._communicator.output_queue.get_nowait()
            if sent["type"] == "websocket.send":
                found.append(json.loads(sent["text"]))
                check_told(found[-1])
            elif sent["type"] == "websocket.close":
                found.append({"type": "closed", "code": sent["code"]})
        return found

    async def come(self) -> None:
        """Opens the socket, and waits for nothing."""
        await self._communicator.send_input({"type": "websocket.connect"})

    async def say(self, **frame: Any) -> None:
        await self._communicator.send_input({"type": "websocket.receive", "text": json.dumps(frame)})

    async def is_silent(self, seconds: float) -> bool:
        """Whether nothing has come, and nothing comes within the time."""
        return bool(await self._communicator.receive_nothing(seconds))

    async def frame(self) -> dict[str, Any]:
        sent = await self._communicator.receive_output(SECONDS)
        assert sent["type"] == "websocket.send", sent
        frame: dict[str, Any] = json.loads(sent["text"])
        check_told(frame)
        return frame


class WiredSocket(Socket):
    """One of a server where frames can be written at once."""

    def __init__(self, person: User) -> None:
        super().__init__(person)
        self.reads = True
        self.at_once = 0
        """Frames that were written so."""

    def extensions(self) -> dict[str, Any]:
        return {WIRE: self}

    def write_now(self, frames: Sequence[Frame]) -> bool:
        if not self.reads or self._communicator.output_queue.full():
            return False
        for frame in frames:
            self._communicator.output_queue.put_nowait({"type": "websocket.send", "text": frame.text})
        self.at_once += len(frames)
        return True


class SlowSocket(Socket):
    """One whose client reads while `reads` is set, as it is at first; but a close is always sent."""

    def __init__(self, person: User) -> None:
        super().__init__(person, self._slow)
        self.reads = asyncio.Event()
        self.reads.set()
        self.waits = asyncio.Event()
        """Something is being written that the client does not read."""

    async def _slow(self, scope: Any, receive: Any, send: Any) -> None:
        async def slow(message: Any) -> None:
            if message["type"] == "websocket.send" and not self.reads.is_set():
                self.waits.set()
                await self.reads.wait()
            await send(message)

        await websocket(scope, receive, slow)


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
