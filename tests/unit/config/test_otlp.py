"""The queue between whoever ends a unit and the collector."""

import threading
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pytest_django.fixtures import Settings

from config.observability import otlp
from config.observability.otlp import Traces
from deploy.supervisor.processes import wait_until
from storage import tracing
from storage.spans import Finished, Kind
from tests.unit.storage.test_process import holds_in_child, is_free

WAIT_SECONDS = 60.0
BATCH = 512
"""Of the SDK's."""


class Gate(SpanExporter):
    """Holds each batch up until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.batches: list[list[ReadableSpan]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.append(list(spans))
        self.let_go.wait(WAIT_SECONDS)
        return SpanExportResult.SUCCESS


def spans(count: int) -> list[Finished]:
    return [Finished(1, n + 1, 7, "read", Kind.CLIENT, 10, 20, {"n": n}, "Silent", ((3, 4),)) for n in range(count)]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def traces(gate: Gate) -> Iterator[Traces]:
    made = Traces(lambda: gate)
    yield made
    gate.let_go.set()
    made.close()


def test_a_span_is_exported_as_it_was_recorded(traces: Traces, gate: Gate) -> None:
    gate.let_go.set()
    traces.take(spans(1))
    assert wait_until(lambda: bool(gate.batches), seconds=WAIT_SECONDS)
    [[span]] = gate.batches
    assert span.context is not None
    assert span.parent is not None
    assert (span.context.trace_id, span.context.span_id, span.parent.span_id) == (1, 1, 7)
    assert (span.name, span.kind.name, span.start_time, span.end_time) == ("read", "CLIENT", 10, 20)
    assert (dict(span.attributes or {}), span.status.description) == ({"n": 0}, "Silent")
    assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [(3, 4)]


def test_what_there_is_no_room_for_is_dropped_and_nobody_waits(traces: Traces, gate: Gate) -> None:
    traces.take(spans(BATCH))
    assert wait_until(lambda: bool(gate.batches), seconds=WAIT_SECONDS)
    traces.take(spans(2 * otlp.QUEUED))
    gate.let_go.set()
    traces.close()
    assert sum(map(len, gate.batches)) == BATCH + otlp.QUEUED


def test_a_process_that_ends_does_not_try_with_every_batch(traces: Traces, gate: Gate) -> None:
    traces.take(spans(3 * BATCH))
    assert wait_until(lambda: bool(gate.batches), seconds=WAIT_SECONDS)
    with patch.object(otlp, "TIMEOUT_SECONDS", 0.0):
        ending = threading.Thread(target=traces.close)
        ending.start()
        assert wait_until(lambda: traces._exporter._until < float("inf"), seconds=WAIT_SECONDS)
        gate.let_go.set()
        ending.join(WAIT_SECONDS)
    assert not ending.is_alive()
    assert len(gate.batches) == 1
    traces.take(spans(1))
    assert traces._processor is None, "behind its end it takes nothing"


def test_a_forked_child_has_a_queue_of_its_own(traces: Traces, gate: Gate) -> None:
    traces.take(spans(1))
    assert traces._processor is not None
    assert holds_in_child(lambda: traces._processor is None and is_free(traces._lock))


def test_a_system_without_a_thread_to_spare_costs_traces_only(traces: Traces) -> None:
    with patch.object(otlp, "BatchSpanProcessor", side_effect=RuntimeError("can't start new thread")):
        traces.take(spans(1))
    assert traces._processor is None


def test_a_batch_s_size_is_ours_whatever_the_environment_says(
    traces: Traces, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(2 * otlp.QUEUED))
    gate.let_go.set()
    traces.take(spans(1))
    assert wait_until(lambda: bool(gate.batches), seconds=WAIT_SECONDS)


def test_what_nobody_foresaw_is_said_once_and_ends_the_traces(traces: Traces) -> None:
    with (
        patch.object(otlp, "BatchSpanProcessor", side_effect=ValueError("no such size")) as made,
        structlog.testing.capture_logs() as lines,
    ):
        traces.take(spans(1))
        traces.take(spans(1))
    assert made.call_count == 1
    assert [(line["event"], line["error"]) for line in lines] == [("traces_given_up", "no such size")]


def test_a_wrong_setting_ends_the_start_with_a_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TRACES_ENDPOINT, settings.TRACES_HEADERS = "http://127.0.0.1:1", ""
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "nobody")
    with patch.object(tracing, "send_to") as sent_to, pytest.raises(SystemExit, match=r"^Not started: .*'nobody'"):
        otlp.begin()
    sent_to.assert_not_called()
