"""What a process has counted, as Prometheus reads it: for the page of a server, and for processes without one.

A web process serves `/metrics` (config/observability/metrics.py). A worker, beat or a sweeper has no page: with
METRICS_PORT it answers `GET /metrics` on that port, from threads of its own, AT_A_TIME of them at most. It asks no
backend.

With PROMETHEUS_MULTIPROC_DIR what is told is that of every process that shares the directory, also of those that have
ended: counters go on through restarts. Gauges are of who lives: those of a process that was killed are forgotten first.
"""

import os
import re
import socket
import sys
import threading
from contextlib import suppress
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from storage.telling import teller

OF_LIVING = re.compile(r"gauge_live\w*_(\d+)\.db")
SECONDS = 5.0
"""That a client has in all for its request, and then for taking the answer."""
AT_A_TIME = 4
"""Requests that are answered at a time; one more is hung up on."""
LOOPBACK, EVERYWHERE = "127.0.0.1", ""

log = structlog.get_logger(__name__)


def registry() -> CollectorRegistry:
    """Returns what is counted, made for each scrape, as the client wants it with several processes."""
    teller.flush()
    made = CollectorRegistry()
    if settings.PROMETHEUS_MULTIPROC_DIR:
        _forget_the_dead(Path(settings.PROMETHEUS_MULTIPROC_DIR))
        MultiProcessCollector(made, settings.PROMETHEUS_MULTIPROC_DIR)  # type: ignore[no-untyped-call]
    else:
        made.register(REGISTRY)
    return made


def has_token(authorization: str) -> bool:
    """Returns whether an Authorization field has METRICS_TOKEN as its bearer's."""
    scheme, _, token = authorization.partition(" ")
    given, wanted = token.strip().encode(), settings.METRICS_TOKEN.encode()
    return scheme.lower() == "bearer" and compare_digest(given, wanted)


def serve_figures() -> HTTPServer | None:
    """Answers scrapes on METRICS_PORT from now on; None, and nothing is done, where that is 0.

    On every address if METRICS_TOKEN closes it, on loopback else. A port that is taken is logged, and ends nothing.
    """
    if not settings.METRICS_PORT:
        return None
    address = EVERYWHERE if settings.METRICS_TOKEN else LOOPBACK
    try:
        server = Figures((address, settings.METRICS_PORT), Scrape)
    except OSError as error:
        log.error("figures_not_served", port=settings.METRICS_PORT, error=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="figures", daemon=True).start()
    return server


class Figures(ThreadingHTTPServer):
    """A thread for each of AT_A_TIME requests."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.Semaphore(AT_A_TIME)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers it in a thread of its own, if there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says in the log, and in its form, what ended a request; the library would print it."""
        log.warning("figures_not_told", error=repr(sys.exception()))


class Scrape(BaseHTTPRequestHandler):
    """One request."""

    timeout = SECONDS
    """Of one read, and of all that is written."""

    def setup(self) -> None:
        """Hangs up on whoever has not sent its request in SECONDS, however often it sends something."""
        super().setup()
        self._deadline = threading.Timer(SECONDS, self._hang_up)
        self._deadline.daemon = True
        self._deadline.start()

    def parse_request(self) -> bool:
        """Reads what is left of the request."""
        try:
            return super().parse_request()
        finally:
            self._deadline.cancel()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        """Answers 200 with every metric; 401 without the token, 404 elsewhere."""
        if self.path != "/metrics":
            self._answer(404, b"There is nothing here.\n")
        elif settings.METRICS_TOKEN and not has_token(self.headers.get("Authorization", "")):
            self._answer(401, b"Metrics need their own bearer token.\n")
        else:
            self._answer(200, generate_latest(registry()), CONTENT_TYPE_LATEST)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Says nothing: a scrape is no news."""

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _forget_the_dead(directory: Path) -> None:
    for path in directory.glob("gauge_live*.db"):
        found = OF_LIVING.fullmatch(path.name)
        if found is not None and not _lives(int(found[1])):
            with suppress(FileNotFoundError):  # another scrape was faster
                mark_process_dead(int(found[1]), str(directory))  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
