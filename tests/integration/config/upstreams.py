"""Stand-ins for web and live behind a front: they tell what they were asked, and do as they are told."""

import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy.supervisor.ports import LOOPBACK


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was ended while it was held is nobody's fault; the rest is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Upstream:
    """One of them; `asked` are the requests that came, as (method, path)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.goes_on = threading.Event()
        """While it is not set, requests have no answer and sockets stay open."""
        self.goes_on.set()
        self.hangs_up = False
        """Whether it ends the connection when it has read a request, without an answer."""
        self._server = _Server((LOOPBACK, 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Nobody listens there any more."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                upstream.asked.append((self.command, self.path))
                if upstream.hangs_up:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                if self.headers.get("Upgrade"):
                    self.send_response(101)
                    self.send_header("Upgrade", "websocket")
                    self.send_header("Connection", "Upgrade")
                    self.end_headers()
                    self.wfile.write(b"a socket of port %d" % upstream.port)
                    upstream.goes_on.wait()
                    self.close_connection = True
                    return
                upstream.goes_on.wait()
                told = json.dumps({"port": upstream.port, "fields": dict(self.headers), "length": len(body)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler
