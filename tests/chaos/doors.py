"""Speaking to the stack's web processes: one request, one answer or none, and never an exception."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

TIMEOUT_SECONDS = 4.0
"""Shorter than a hung backend makes the slowest answer: some answers are lost, and their requests repeated."""
KEPT_ALIVE = httpx.Limits(keepalive_expiry=30.0)
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
"""Nobody can have acted on such a request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 for a request that got none; `sent` whether somebody may act on it all the same."""

    status: int
    body: Any
    begun: float
    ended: float
    web: str
    sent: bool = True
    retry_after: str | None = None
    error: str = ""

    @property
    def refused(self) -> bool:
        """Turned away for now: by nobody, by a backend that is down, by a twin under way."""
        return self.status in (0, 409) or self.status >= 500


class Doors:
    """The web processes by name. Each thread keeps connections of its own. Thread-safe."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.urls = dict(urls)
        self.answers: deque[tuple[float, bool]] = deque()
        """When each request ended, and whether it was refused."""
        self._names = sorted(urls)
        self._local = threading.local()
        self._clients: list[httpx.Client] = []

    def ask(
        self,
        method: str,
        path: str,
        *,
        turn: int = 0,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        wait: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """One request to the web process whose turn it is; `path` is below /api/v1 unless it is whole.

        Its answer is waited for `wait` seconds; then it is lost.
        """
        web = self._names[turn % len(self._names)]
        url = self.urls[web] + (path if path.startswith(("/api/", "/metrics")) else f"/api/v1{path}")
        sent_along = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        begun = time.time()
        try:
            patience = httpx.Timeout(TIMEOUT_SECONDS, read=wait)
            got = self._client().request(method, url, json=body, headers=sent_along, timeout=patience)
        except httpx.HTTPError as error:
            name = type(error).__name__
            answer = Answer(0, None, begun, time.time(), web, sent=not isinstance(error, NOT_SENT), error=name)
        else:
            answer = Answer(
                got.status_code, _json(got), begun, time.time(), web, retry_after=got.headers.get("Retry-After")
            )
        self.answers.append((answer.ended, answer.refused))
        return answer

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _client(self) -> httpx.Client:
        client: httpx.Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = httpx.Client(limits=KEPT_ALIVE)
            self._clients.append(client)
        return client


def _json(answer: httpx.Response) -> Any:
    """The body; of what is no JSON the text."""
    if not answer.content:
        return None
    if "json" not in answer.headers.get("Content-Type", ""):
        return answer.text
    try:
        return answer.json()
    except ValueError:
        return answer.text
