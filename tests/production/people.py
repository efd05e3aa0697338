"""People who use the site while its processes are replaced: each asks once a second over HTTP, and listens on a socket.

They do what docs/live.md says of clients: subscribe from the last cursor, drop ids that were seen, come back at once.
"""

import asyncio
import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.front import Front

PASSWORD = "Engine-No-1843"
PERIOD_SECONDS = 1.0
POST_EACH = 2
"""An author's requests of which one is a post; the others, and all of whoever is no author, are reads and likes."""
TIMEOUT_SECONDS = 30.0
COMES_BACK_SECONDS = 0.2
"""At most, by chance, after a socket has ended."""


@dataclass
class Told:
    """What became of one person's requests and socket."""

    requests: int = 0
    failed: list[str] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    """Seconds of each request."""
    posted: list[str] = field(default_factory=list)
    """Ids of tweets that were answered by 201."""
    heard: set[str] = field(default_factory=set)
    """Ids of tweets that the socket told."""
    gaps: int = 0
    codes: list[int | None] = field(default_factory=list)
    """By which the socket was closed; None where it just broke."""
    away: list[float] = field(default_factory=list)
    """Seconds from each end of the socket until it was subscribed again."""
    lives: list[str] = field(default_factory=list)
    """How each socket, and each try at one, ended: for whoever asks why one was away."""
    errors: list[str] = field(default_factory=list)
    """Codes of the errors that a socket told, after which it was left."""


class Person:
    """One, at an address of their own on loopback. `listen`, `begin` … `rest` (asks no more) … `leave`.

    Whoever subscribes without a cursor is told what is new from then on: nobody is to post before all are subscribed.
    """

    def __init__(self, front: Front, number: int, *, writes: bool) -> None:
        self.name = f"person{number}"
        self.told = Told()
        self._front = front
        self._writes = writes
        self._number = number
        self._dice = random.Random(number)
        self._address = f"127.0.1.{number}"
        transport = httpx.HTTPTransport(local_address=self._address, verify=front.trust())
        self._client = httpx.Client(base_url=f"{front.url}/api/v1", transport=transport, timeout=TIMEOUT_SECONDS)
        body = {"username": self.name, "email": f"{self.name}@example.org", "password": PASSWORD}
        answer = self._client.post("/auth/register", json=body)
        answer.raise_for_status()
        self._token = answer.json()["data"]["token"]
        self._client.headers["Authorization"] = f"Bearer {self._token}"
        self._cursor: str | None = None
        self._refused = False
        self._resting, self._leaving = threading.Event(), threading.Event()
        self.subscribed = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._ask, self._listen)]

    def follow(self, other: "Person") -> None:
        if other is not self:
            self._client.put(f"/users/{other.name}/follow").raise_for_status()

    def listen(self) -> None:
        self._threads[1].start()

    def begin(self) -> None:
        """Begins to ask."""
        self._threads[0].start()

    def rest(self) -> None:
        """Asks nothing more; returns when the last request is over."""
        self._resting.set()
        self._threads[0].join()

    def leave(self) -> None:
        self._leaving.set()
        self._threads[1].join()
        self._client.close()

    def home(self) -> set[str]:
        """The ids of all tweets in their home, page by page."""
        found: set[str] = set()
        path = "/feed/home?limit=100"
        while path:
            page = self._client.get(path.removeprefix("/api/v1"))
            page.raise_for_status()
            found |= {tweet["id"] for tweet in page.json()["data"]}
            path = page.json()["links"]["next"]
        return found

    def _ask(self) -> None:
        due = time.monotonic() + self._dice.uniform(0, PERIOD_SECONDS)
        while not self._resting.wait(max(0.0, due - time.monotonic())):
            due += PERIOD_SECONDS
            self._one_request()

    def _one_request(self) -> None:
        number, begun = self.told.requests, time.monotonic()
        self.told.requests += 1
        method, path, body = "GET", "/feed/home?limit=20", None
        if self._writes and number % POST_EACH == 0:
            method, path, body = "POST", "/tweets", {"text": f"{self.name} says {number}"}
        elif self.told.heard and number % 5 == 0:
            method, path = "PUT", f"/tweets/{max(self.told.heard, key=int)}/like"
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.told.failed.append(f"{method} {path}: {error!r}")
            return
        self.told.slow.append(time.monotonic() - begun)
        if answer.status_code not in (200, 201):
            self.told.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        elif method == "POST":
            self.told.posted.append(answer.json()["data"]["id"])

    def _listen(self) -> None:
        ended: float | None = None
        while not self._leaving.is_set():
            code: int | None = None
            begun, how = time.monotonic(), ""
            try:
                code = asyncio.run(self._one_socket(ended))
            except (OSError, WebSocketException, TimeoutError) as error:
                how = f": {error!r}"
            was = "subscribed" if self.subscribed.is_set() else "not subscribed"
            self.told.lives.append(f"{time.time():.1f}: after {time.monotonic() - begun:.1f} s, {was}, {code}{how}")
            if self.subscribed.is_set() and not self._leaving.is_set():
                self.subscribed.clear()
                self.told.codes.append(code)
                ended = time.monotonic()
            self._leaving.wait(self._dice.uniform(0, COMES_BACK_SECONDS))

    async def _one_socket(self, ended: float | None) -> int | None:
        """By asyncio: `websockets.sync` reads in one thread what another writes on the same TLS connection. At a busy
        moment a request did not come to the front, which waited for it, as the client did for an answer."""
        address = self._front.url.replace("https", "wss") + "/ws/feed"
        fields = {"Authorization": f"Bearer {self._token}"}
        context, source = self._front.trust(), (self._address, 0)
        async with connect(
            address, additional_headers=fields, ssl=context, open_timeout=5, local_addr=source, ping_interval=None
        ) as socket:
            self._refused = False
            after = {} if self._cursor is None else {"after": self._cursor}
            await socket.send(json.dumps({"type": "subscribe", "stream": "home", **after}))
            with suppress(WebSocketException):
                while not self._leaving.is_set() and not self._refused:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.5):
                            frame = await socket.recv()
                        self._take(json.loads(frame), ended)
            return socket.close_code

    def _take(self, frame: dict[str, object], ended: float | None) -> None:
        if frame["type"] == "subscribed":
            self.subscribed.set()
            if ended is not None:
                self.told.away.append(time.monotonic() - ended)
        elif frame["type"] == "tweet":
            tweet = frame["tweet"]
            assert isinstance(tweet, dict)
            self.told.heard.add(tweet["id"])
        elif frame["type"] == "gap":
            self.told.gaps += 1
        elif frame["type"] == "error":
            self.told.errors.append(str(frame.get("code")))
            self._refused = True
        if isinstance(cursor := frame.get("cursor"), str):
            self._cursor = cursor
