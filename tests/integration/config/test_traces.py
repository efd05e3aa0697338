"""What traces cost where they are off, and where their collector is away: nothing."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from deploy.supervisor.ports import LOOPBACK, free_port
from storage import spans, tracing
from storage.redis.node import RedisNode
from tests.people import ApiClient, new_person
from tests.settings import TEST_DIR

ROOT = Path(__file__).parents[3]
REQUESTS = 400
DONE_SECONDS = 240
ON = f"""
import json, logging, sys, threading
import django
django.setup()
from django.test import Client
from config.observability import otlp

client = Client()
answers = [client.get("/healthz").status_code for _ in range({REQUESTS})]
[sink] = __import__("storage.tracing").tracing._sinks
processor = sink.__self__._processor
print(json.dumps({{
    "answers": sorted(set(answers)),
    "queued": len(processor._batch_processor._queue),
    "most": otlp.QUEUED,
    "threads": sum("Otel" in thread.name for thread in threading.enumerate()),
}}), flush=True)
sys.stdin.readline()
"""
OFF = """
TRACING = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf")
import json, sys
import django
django.setup()
from django.conf import settings
from django.urls import get_resolver
import config.celery, config.wsgi, feed.live.listener, fanout.tasks
get_resolver().url_patterns
print(json.dumps([
    sorted(name for name in sys.modules if name.startswith(TRACING)),
    [name for name in settings.MIDDLEWARE if "trac" in name],
]))
"""


def ours(code: str, **variables: str) -> "subprocess.Popen[str]":
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(TEST_DIR), "LOG_FORMAT": "json"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "", **settings, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def hung() -> Iterator[tuple[str, threading.Event]]:
    """A collector that takes a batch and does not answer until it is let go."""
    asked, let_go = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.set()
            let_go.wait(DONE_SECONDS)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}", asked
    finally:
        let_go.set()
        server.shutdown()
        server.server_close()


def serves(endpoint: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a process says of itself that has answered many requests, and the lines that it has logged by its end."""
    process = ours(ON, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_TRACES_SAMPLER_ARG="1")
    said, logged = process.communicate("\n", timeout=DONE_SECONDS)
    assert process.returncode == 0, logged
    return json.loads(said), [json.loads(line) for line in logged.splitlines()]


def assert_unharmed(said: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    assert said["answers"] == [200]
    assert said["threads"] == 1
    events = [line["event"] for line in lines]
    assert events.count("request") == REQUESTS
    assert events.count("traces_not_exported") == 1, "once, and not for each batch"
    assert len(events) == REQUESTS + 1, set(events)
    assert all(len(line["trace_id"]) == 32 for line in lines if line["event"] == "request")


def test_a_collector_that_is_away_costs_one_line() -> None:
    assert_unharmed(*serves(f"http://{LOOPBACK}:{free_port()}"))


def test_a_collector_that_hangs_holds_up_no_request_and_not_the_end() -> None:
    with hung() as (endpoint, asked):
        said, lines = serves(endpoint)
        assert asked.is_set()
    assert_unharmed(said, lines)


def test_while_it_is_off_nothing_that_traces_is_imported_and_there_is_no_middleware() -> None:
    """redis-py imports the half of OpenTelemetry that is for metrics by itself, where it is installed."""
    said, logged = ours(OFF).communicate(timeout=DONE_SECONDS)
    assert said, logged
    assert json.loads(said) == [[], []]


@pytest.mark.usefixtures("product")
def test_while_it_is_off_no_request_calls_anything_of_it() -> None:
    assert not hasattr(RedisNode.round_trip, "__wrapped__")
    client = ApiClient(new_person())
    called: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename in (tracing.__file__, spans.__file__):
            called.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        posted = client.post("/api/v1/tweets", {"text": "untraced"}, content_type="application/json")
        read = client.get("/api/v1/feed/home")
        spans.trace_of(1)
    finally:
        sys.setprofile(None)
    assert (posted.status_code, read.status_code) == (201, 200)
    assert called == ["trace_of", "ids_of"], "only what this test called itself, to be sure that it counts"
