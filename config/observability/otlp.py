"""Exporting traces with OpenTelemetry's SDK, over OTLP/HTTP. The one module that imports it, and only while it is on.

Nobody waits for a collector: spans are put into a bounded queue of the SDK's, which a thread empties each
DELAY_SECONDS, and what there is no room for is dropped. A collector that is away, or hangs, costs that thread
TIMEOUT_SECONDS a batch, and one line in the log until it is back.

The queue and its thread belong to one process: the first span that is to be exported makes them, in a forked child
as well.
"""

import atexit
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize

import structlog
from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers

from config.observability.tracing import trace_sql
from storage import tracing
from storage.process import start_anew_after_fork
from storage.spans import Finished

PATH = "/v1/traces"
QUEUED = 4_096
"""Spans, of about 1 KB: more than a second of a busy process."""
EXPORTED_AT_A_TIME = 512
DELAY_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
"""Of one batch; and how long a process that ends waits for its last ones."""
SCOPE = InstrumentationScope("feed")

log = structlog.get_logger(__name__)


class Bounded(SpanExporter):
    """Says once that spans are lost, and once that they are not any more; the SDK would say it for each batch.

    A process that ends exports what it has for TIMEOUT_SECONDS, and no longer: the SDK would try with every batch.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_failing = False
        self._until = math.inf

    def end_soon(self) -> None:
        """The process ends."""
        self._until = time.monotonic() + TIMEOUT_SECONDS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if time.monotonic() > self._until:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            log.warning("traces_not_exported", lost=len(spans))
        elif self._is_failing and not is_failing:
            log.info("traces_exported_again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Traces:
    """The sink of a process. Thread-safe; a forked child begins with nothing."""

    def __init__(self, make_exporter: Callable[[], SpanExporter]) -> None:
        self._make_exporter = make_exporter
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves the parent's queue and connection to the parent in a forked child."""
        self._lock = threading.Lock()
        self._processor: BatchSpanProcessor | None = None
        self._has_ended = False

    def take(self, spans: Sequence[Finished]) -> None:
        """Queues the spans. Never raises: a system without a thread to spare costs traces, and no request.

        What nobody foresaw ends the process's traces.
        """
        if self._has_ended:
            return
        try:
            processor = self._processor or self._open()
            for each in spans:
                processor.on_end(_readable(each, self._resource))
        except RuntimeError as error:
            log.warning("traces_not_queued", error=str(error))
        except Exception as error:
            self._has_ended = True
            log.error("traces_given_up", error=str(error), exc_info=error)

    def close(self) -> None:
        """Exports what is queued, and takes no more; in twice TIMEOUT_SECONDS at most."""
        with self._lock:
            processor, self._processor, self._has_ended = self._processor, None, True
        if processor is not None:
            self._exporter.end_soon()
            processor.shutdown()  # type: ignore[no-untyped-call]

    def _open(self) -> BatchSpanProcessor:
        with self._lock:
            if self._processor is None:
                self._resource = _resource()
                self._exporter = Bounded(self._make_exporter())
                self._processor = BatchSpanProcessor(
                    self._exporter,
                    max_queue_size=QUEUED,
                    max_export_batch_size=EXPORTED_AT_A_TIME,
                    schedule_delay_millis=DELAY_SECONDS * 1_000,
                    export_timeout_millis=TIMEOUT_SECONDS * 1_000,
                )
                # Children of multiprocessing, as those of the web server, end without the first of these.
                atexit.register(self.close)
                Finalize(None, self.close, exitpriority=0)
            return self._processor


def begin() -> None:
    """Has this process's traces exported, as the settings say. Ends the start, with a sentence, if that cannot be."""
    try:
        _exporter().shutdown()
        _resource()
    except Exception as error:
        raise SystemExit(f"Not started: traces cannot be exported as OTEL_… have it: {error}") from None
    tracing.send_to(Traces(_exporter).take)
    trace_sql()


def _exporter() -> SpanExporter:
    return OTLPSpanExporter(
        endpoint=settings.TRACES_ENDPOINT.rstrip("/") + PATH,
        headers=parse_env_headers(settings.TRACES_HEADERS, liberal=True),
        timeout=TIMEOUT_SECONDS,
    )


def _resource() -> Resource:
    instance = f"{socket.gethostname()}/{os.getpid()}"
    name = settings.TRACES_SERVICE_NAME
    return Resource.create({"service.name": name, "service.instance.id": instance, "process.pid": os.getpid()})


def _readable(span: Finished, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=None if span.parent_id is None else _context(span.trace_id, span.parent_id),
        resource=resource,
        attributes=span.attributes,
        links=[Link(_context(*link)) for link in span.links],
        kind=SpanKind[span.kind.name],
        status=Status(StatusCode.UNSET) if span.failure is None else Status(StatusCode.ERROR, span.failure),
        start_time=span.started_ns,
        end_time=span.ended_ns,
        instrumentation_scope=SCOPE,
    )


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
