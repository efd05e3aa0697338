"""`/metrics` for Prometheus: what this process has counted, and what state the backends are in.

    http_requests_total, http_request_seconds   config/observability/requests.py
    timeline_rebuilds_total{outcome}            feed/timelines/rebuild.py
    dispatch_queue_length                       orders of this process that the broker has not got yet
    outbox_oldest_open_seconds                  age of the oldest order that is not done, 0 without one
    outbox_open_orders                          orders that are not done; COUNTED if there are at least so many
    outbox_dead_letters                         orders that were given up; the same
    backend_up{backend}                         the checks of /readyz
    breaker_open{backend}                       1 while this process does not ask it (open or half open)
    breaker_opened_total{backend}               storage/breakers.py

No label ever holds an id, a name or a path: series are bounded by the code. What is read from
backends is read at a scrape, at most every STATE_SECONDS. A metric stands beside the code that
counts it; this module has those of the backends, and serves all.

With PROMETHEUS_MULTIPROC_DIR the counters and histograms are those of every process that shares
the directory; without it, of the process that answers.
"""

import threading
import time
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from accounts.sessions.authentication import BY_ADDRESS
from accounts.sessions.bad_tokens import count_bad_token
from accounts.sessions.throttles import count_or_refuse, note_hits
from config.http.problems import problem_of, problem_response
from config.observability.health import BREAKERS, ask_all
from fanout.orders.dispatch import dispatcher
from storage.breakers import State as BreakerState
from storage.breakers import worst_of
from storage.errors import NotSignedIn, ServiceError, TooMany, Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.stores import dead_letters, outbox
from storage.web.client_address import client_address

STATE_SECONDS = 5.0
"""Scrapes nearer to each other share what was read: asking more often must not cost the backends more."""
COUNTED = 10_000
"""Counting stops here, since a scrape must not cost more the longer the backlog is."""


class State(Collector):
    """The metrics of what is true at the moment of asking, of this process and of the backends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._backends: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics, and never raises for a backend that is down. A scrape during another's reading tells the
        previous one."""
        yield GaugeMetricFamily(
            "dispatch_queue_length",
            "Orders that this process has not passed on to the broker yet.",
            value=dispatcher.waiting,
        )
        yield _open_breakers()
        if self._lock.acquire(blocking=False):
            try:
                self._read_backends()
            finally:
                self._lock.release()
        yield from self._backends

    def forget(self) -> None:
        """Makes the next scrape read anew; for tests."""
        self._read_at = float("-inf")

    def _read_backends(self) -> None:
        if time.monotonic() < self._read_at + STATE_SECONDS:
            return
        answers = ask_all()
        up = GaugeMetricFamily("backend_up", "1 if it answers, as in /readyz.", labels=["backend"])
        for name, answered in answers.items():
            up.add_metric([name], float(answered))
        self._backends = [up, *(_outbox_metrics() if answers["store"] else [])]
        self._read_at = time.monotonic()


def _open_breakers() -> Metric:
    found = GaugeMetricFamily("breaker_open", "1 while this process does not ask the backend.", labels=["backend"])
    for name, breakers in BREAKERS.items():
        found.add_metric([name], float(worst_of(breakers()) is not BreakerState.CLOSED))
    return found


def _outbox_metrics() -> list[Metric]:
    """Returns the figures of the outbox, None when the store does not answer: no figure is better than a wrong one."""
    try:
        oldest = outbox().oldest_open()
        open_orders = outbox().count_open(limit=COUNTED) if oldest is not None else 0
        dead = dead_letters().count(limit=COUNTED)
    except Unavailable:
        return []
    seconds = 0.0 if oldest is None else max(now_us() - id_us(oldest), 0) / 1_000_000
    return [
        GaugeMetricFamily("outbox_oldest_open_seconds", "Age of the oldest order that is not done.", value=seconds),
        GaugeMetricFamily("outbox_open_orders", f"Orders that are not done, {COUNTED} at most.", value=open_orders),
        GaugeMetricFamily("outbox_dead_letters", f"Orders that were given up, {COUNTED} at most.", value=dead),
    ]


state = State()


def metrics(request: HttpRequest) -> HttpResponse:
    """Answers with every metric as text; 401 unless METRICS_TOKEN is the bearer's, if that is set.

    Wrong tokens count as any bad one does, and too many are 429; without METRICS_TOKEN each scrape counts by address.
    """
    try:
        _let_in(request)
    except ServiceError as error:
        return problem_response(problem_of(error), request)
    return HttpResponse(
        generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
    )


def _let_in(request: HttpRequest) -> None:
    """Raises `NotSignedIn` and `TooMany`."""
    if not settings.METRICS_TOKEN:
        count_or_refuse(request, (BY_ADDRESS, f"rate:address:{client_address(request)}"))
    elif not _has_token(request):
        hit = count_bad_token(client_address(request))
        note_hits(request, [] if hit is None else [hit])
        if hit is not None and hit.exceeded:
            raise TooMany(hit.resets_seconds)
        raise NotSignedIn("Metrics need their own bearer token.")


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(token.strip(), settings.METRICS_TOKEN)


def _registry() -> CollectorRegistry:
    """Made for each scrape, as the client wants it with several processes."""
    registry = CollectorRegistry()
    if settings.PROMETHEUS_MULTIPROC_DIR:
        MultiProcessCollector(registry, settings.PROMETHEUS_MULTIPROC_DIR)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(state)
    return registry
