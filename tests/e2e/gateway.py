"""A gateway before the product that is no friend of clients: it sends some away, and loses the answers of others."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import msgspec

RETRY_AFTER_SECONDS = 1
REFUSED = ("GET", "/api/v1/feed/home")
"""Whose first request is answered 429, and does not reach the product."""
LOST = (("POST", "/api/v1/tweets"), ("POST", "/graphql"))
"""Whose first request reaches the product, and is answered 503 all the same."""
HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class Asked(msgspec.Struct, frozen=True):
    """One request, as it came to the gateway."""

    method: str
    path: str
    key: str | None
    """Its Idempotency-Key."""
    at: float


class Gateway(ThreadingHTTPServer):
    """Hands requests on to `product`, and remembers them."""

    def __init__(self, product: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.client = httpx.Client(base_url=product, timeout=30)

    def tries(self, method: str, path: str) -> list[Asked]:
        return [each for each in self.asked if (each.method, each.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_GET(self) -> None:
        method, path = self.command, self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            is_first = not self.server.tries(method, path)
            self.server.asked.append(Asked(method, path, self.headers.get("Idempotency-Key"), time.monotonic()))
        if is_first and (method, path) == REFUSED:
            return self._refuse(429)
        sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        answer = self.server.client.request(method, self.path, content=body, headers=sent)
        if is_first and (method, path) in LOST:
            assert answer.status_code < 300, answer.text
            return self._refuse(503)
        fields = {"Content-Type": answer.headers["Content-Type"]} if answer.content else {}
        return self._answer(answer.status_code, fields, answer.content)

    do_POST = do_PUT = do_GET

    def _refuse(self, status: int) -> None:
        self._answer(status, {"Retry-After": str(RETRY_AFTER_SECONDS)}, b"")

    def _answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def gateway(product: str) -> Iterator[Gateway]:
    with Gateway(product) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
            made.client.close()
