"""Speaking to the server as any client would, and with its patience: what may pass is tried again."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from deploy.errors import CannotStart

TRIES = 5
PATIENCE_SECONDS = 30.0
"""A longer Retry-After is not waited for: the server limits more than a demo needs."""
TIMEOUT_SECONDS = 30.0
LIMITED = "The server limits rates. Start it with RATE_LIMITS=off for a demo (never in production)."


class Failed(Exception):
    """An answer that was not the one expected; the message names the request and the answer."""


class HasLeft(Failed):
    """Somebody who cannot sign in any more."""


class Api:
    """The public HTTP API of one server. `say` is told, once, that the server limits rates."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        say: Callable[[str], None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._say = say
        self._told = False
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_SECONDS, limits=limits, transport=transport)

    async def close(self) -> None:
        await self._client.aclose()

    async def require_ready(self) -> None:
        """Raises `CannotStart` unless the server serves, without limits: some sign-ups an hour are no demo, and
        would be used up for people. Sends nothing that changes anything."""
        try:
            answer = await self._client.get("/readyz")
            public = await self._client.get("/api/v1/feed/public", params={"limit": 1})
        except httpx.TransportError as error:
            raise CannotStart(
                f"No server answers at {self.url}: start one with make run, give the DATA_DIR= of one, or its URL=."
            ) from error
        if answer.status_code != 200:
            raise CannotStart(f"{self.url}/readyz answers {answer.status_code}: {answer.text[:200]}")
        if "RateLimit" in public.headers or public.status_code == 429:
            raise CannotStart(f"{LIMITED} Nothing was done.")

    async def call(
        self,
        method: str,
        path: str,
        *expected: int,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """Returns the answer, of a status in `expected`. Raises `Failed`, and `CannotStart` when limited for long."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        last = ""
        for _ in range(TRIES):
            try:
                answer = await self._client.request(method, f"/api/v1{path}", json=body, headers=headers)
            except httpx.TransportError as error:
                last = f"{type(error).__name__} {error}"
                await asyncio.sleep(1)
                continue
            if answer.status_code in expected:
                return answer
            last = f"{answer.status_code} {_detail(answer)}"
            if answer.status_code not in (409, 429, 503):
                break
            await asyncio.sleep(self._pause(answer))
        raise Failed(f"{method} {path}: {last}")

    def _pause(self, answer: httpx.Response) -> float:
        asked = answer.headers.get("Retry-After", "1")
        seconds = float(asked) if asked.isdecimal() else 1.0
        if answer.status_code == 429:
            if seconds > PATIENCE_SECONDS:
                raise CannotStart(f"{LIMITED} It asks to wait {seconds:.0f} s.")
            if not self._told:
                self._told = True
                self._say(LIMITED)
        return min(seconds, PATIENCE_SECONDS)


def _detail(answer: httpx.Response) -> str:
    """What the problem document says, or the beginning of whatever it is."""
    try:
        problem = answer.json()
        return f"{problem['detail']} {problem.get('errors', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
