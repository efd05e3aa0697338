"""A collector of traces: takes OTLP over HTTP as a real one does, and keeps what came."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deploy.supervisor.ports import LOOPBACK


@dataclass
class Seen:
    """A span that came."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    pid: int
    attributes: dict[str, Any]
    links: list[str]
    """The traces that it points to."""
    failed: bool


@dataclass
class Collector:
    url: str
    bodies: list[bytes] = field(default_factory=list, repr=False)
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self.lock:
            self.bodies.append(body)
            self.headers.append(headers)
            for of_process in request.resource_spans:
                pid = int(_attributes(of_process.resource.attributes)["process.pid"])
                self.spans += [_seen(span, pid) for scope in of_process.scope_spans for span in scope.spans]

    def trace(self, trace_id: str) -> list[Seen]:
        with self.lock:
            return [span for span in self.spans if span.trace_id == trace_id]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    collector = Collector(f"http://{LOOPBACK}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, name="collector")
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def root_of_tree(spans: Sequence[Seen]) -> Seen:
    """The one root; fails unless all the others hang below it."""
    ids = {span.span_id for span in spans}
    assert len(ids) == len(spans), "ids are used once"
    roots = [span for span in spans if not span.parent_id]
    assert [span.name for span in spans if span.parent_id and span.parent_id not in ids] == []
    assert len(roots) == 1, roots
    return roots[0]


def _seen(span: Any, pid: int) -> Seen:
    links = [link.trace_id.hex() for link in span.links]
    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
    return Seen(*ids, span.name, span.kind, pid, _attributes(span.attributes), links, span.status.code == 2)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in pairs}
