"""`/metrics` for Prometheus: what this process has counted, and what state the backends are in.

    http_…                                      config/observability/requests.py
    graphql_…                                   config/graphql/figures.py
    task_…                                      config/observability/tasks.py
    timeline_reads_total, timeline_rebuilds_total   feed/timelines/home.py, rebuild.py
    fanout_…                                    fanout/orders/figures.py
    live_…                                      fanout/live/figures.py
    cache_…, store_…, redis_…                   storage/figures.py
    sql_seconds                                 accounts/sql.py
    dispatch_queue_length, dispatch_held        fanout/orders/dispatch.py, holding.py
    breaker_open, breaker_opened_total          storage/breakers.py
    queue_length{queue}                         messages in the brokers' queues, of all groups
    outbox_oldest_open_seconds                  age of the oldest order that is not done, 0 without one
    outbox_open_orders                          orders that are not done; COUNTED if there are at least so many
    outbox_dead_letters                         orders that were given up; the same
    search_lag_seconds, search_rebuild_wanted   how far the search's indexer is behind; whether it has missed something
    search_…                                    tweets/search/figures.py
    leaving_people, leaving_oldest_seconds, leaving_still_seconds
                                                who has left and is not erased (feed/leaving/standing.py)
    backend_up{backend}                         the checks of /readyz

No label ever holds an id, a name or a path: series are bounded by the code. What is read from
backends is read at a scrape, at most every STATE_SECONDS. A metric stands beside the code that
counts it; this module has those of the backends, and serves all. What is told of which processes
storage/exposition.py says, which serves those without a page, too.
"""

import threading
import time
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.sessions.authentication import BY_ADDRESS
from accounts.sessions.bad_tokens import count_bad_token
from accounts.sessions.throttles import count_or_refuse, note_hits
from config.http.problems import problem_of, problem_response
from config.observability.health import ask_all
from fanout.orders import resending
from fanout.orders.queues import BULK, QUEUES
from feed.leaving.standing import figures as leaving_figures
from feed.operations.breakers import breakers
from storage import exposition
from storage.errors import NotSignedIn, ServiceError, TooMany, Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.stores import dead_letters, outbox
from storage.web.client_address import client_address
from tweets.search.figures import lag_seconds
from tweets.search.gaps import rebuild_wanted
from tweets.search.guarded import search_is_on

STATE_SECONDS = 5.0
"""Scrapes nearer to each other share what was read: asking more often must not cost the backends more."""
MAINTENANCE = settings.CELERY_TASK_DEFAULT_QUEUE
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
        of_store = [*_outbox_metrics(), *_search_metrics()] if answers["store"] else []
        of_people = _leaving_metrics() if answers["database"] else []
        self._backends = [up, *_queue_metrics(), *of_store, *of_people]
        self._read_at = time.monotonic()


def _queue_metrics() -> list[Metric]:
    """Returns the lengths of the queues; nothing while a broker does not answer."""
    try:
        lengths = resending.all_queue_lengths((*QUEUES, BULK, MAINTENANCE))
    except Unavailable:
        return []
    found = GaugeMetricFamily("queue_length", "Messages in the brokers' queues.", labels=["queue"])
    for queue, length in lengths.items():
        found.add_metric([queue], length)
    return [found]


def _outbox_metrics() -> list[Metric]:
    """Returns the figures of the outbox; nothing when the store does not answer, as no figure is better than a wrong
    one."""
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


def _search_metrics() -> list[Metric]:
    """Returns how far the index has come, as the store says; nothing where there is none, or it does not answer."""
    if not search_is_on():
        return []
    try:
        lag, wanted = lag_seconds(), rebuild_wanted()
    except Unavailable:
        return []
    return [
        GaugeMetricFamily("search_lag_seconds", "How far the search's indexer is behind.", value=lag),
        GaugeMetricFamily("search_rebuild_wanted", "1 once the search's index has missed something.", value=wanted),
    ]


def _leaving_metrics() -> list[Metric]:
    """Returns the figures of who has left; nothing when SQL does not answer."""
    try:
        found = leaving_figures(counted=COUNTED)
    except Unavailable:
        return []
    people = f"People who have left and are not erased, {COUNTED} at most."
    oldest, still = "For how long the first of them has.", "For how long nothing of one of them was erased."
    return [
        GaugeMetricFamily("leaving_people", people, value=found.people),
        GaugeMetricFamily("leaving_oldest_seconds", oldest, value=found.oldest_seconds),
        GaugeMetricFamily("leaving_still_seconds", still, value=found.still_seconds),
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
    elif not exposition.has_token(request.headers.get("Authorization", "")):
        hit = count_bad_token(client_address(request))
        note_hits(request, [] if hit is None else [hit])
        if hit is not None and hit.exceeded:
            raise TooMany(hit.resets_seconds)
        raise NotSignedIn("Metrics need their own bearer token.")


def _registry() -> CollectorRegistry:
    breakers()  # each is told of from its making on
    registry = exposition.registry()
    registry.register(state)
    return registry
