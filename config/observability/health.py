"""Is the process up, and what works at the moment?"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import structlog
from django.conf import settings
from django.http import HttpRequest, JsonResponse

from accounts import sql
from config.serving.draining import draining
from fanout.orders.brokers import ping_all
from feed.operations.breakers import breakers
from storage.breakers import worst_of
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.redis.node import timeline_node
from storage.stores import outbox, ping_store
from tweets.search.figures import lag_seconds
from tweets.search.gaps import rebuild_wanted
from tweets.search.guarded import search_index, search_is_on

log = structlog.get_logger(__name__)

CHECK_SECONDS = 6
"""A little more than the slowest backend's own timeout (5 s); all are asked at the same time."""
LOOK_SECONDS = 1.0
"""As often as a breaker probes: nobody who watches needs more, and a flood of questions costs the backends nothing."""
LATE_SECONDS = 30
"""An order that is open for longer was sent again several times: no worker or no beat runs, or they cannot keep up."""

CHECKS: dict[str, Callable[[], None]] = {
    "redis_timelines": lambda: timeline_node().ping(),
    "redis_broker": ping_all,
    "store": ping_store,
    "database": sql.ping,
}
DEGRADED = {
    "redis_timelines": (
        "Posting and reading work, over REST and GraphQL; home timelines are pulled from the store. "
        "Live updates pause and then resume without a hole."
    ),
    "redis_broker": "Posting and reading work, one's own tweets at once. Fan-out waits; nothing is lost.",
    "store": "Signing in and cached timeline pages work. Posting and uncached reads answer 503 with Retry-After.",
    "database": (
        "Who is signed in and was active lately reads and posts on, for hours. Signing up, in and out, and changes of "
        "accounts answer 503 with Retry-After."
    ),
    "database_replica": "Everything works: what it would be asked the primary is asked.",
    "search": "Everything works but searching for tweets, which answers 503 with Retry-After. Nothing is lost.",
    "search_index": "Everything works; searching for tweets misses some: the index is behind, or wants a rebuild.",
    "workers": "Posting and reading work, one's own tweets at once. Fan-out is late; nothing is lost.",
}
if search_is_on():
    CHECKS["search"] = lambda: search_index().ping()
if sql.REPLICA in settings.DATABASES:
    CHECKS["database_replica"] = sql.ping_replica


def healthz(request: HttpRequest) -> JsonResponse:
    """Answers that the process is up. Touches nothing else."""
    return JsonResponse({"status": "ok"})


class Look(msgspec.Struct, frozen=True):
    """What was seen when all backends were asked."""

    up: dict[str, bool]
    fan_out_is_late: bool
    index_is_behind: bool


class SharedLook:
    """One look at the backends for all who ask within LOOK_SECONDS. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Look | None = None
        self._ends = float("-inf")

    def now(self) -> Look:
        """Returns a look that was begun at most LOOK_SECONDS ago, or the one before while another thread is at it:
        a backend that hangs then holds one thread. The first look of all is waited for."""
        last = self._last
        if last is None:
            self._lock.acquire()
        elif time.monotonic() < self._ends or not self._lock.acquire(blocking=False):
            return last
        try:
            if self._last is None or time.monotonic() >= self._ends:
                ends = time.monotonic() + LOOK_SECONDS
                up = ask_all()
                self._last = Look(
                    up=up,
                    fan_out_is_late=up["store"] and _fan_out_is_late(),
                    index_is_behind=up["store"] and _index_is_behind(),
                )
                self._ends = ends
            return self._last
        finally:
            self._lock.release()


look = SharedLook()


def readyz(request: HttpRequest) -> JsonResponse:
    """Answers each backend's "ok" or "down", its breaker in this process, and what still works. Degraded is still 200.

    A backend whose breaker is not closed is down, and is not asked: the breaker asks it each second.
    Workers are no backend; that they do not keep up is told by the oldest open order. Anybody may ask, and asking more
    often than once in LOOK_SECONDS asks no backend. A process that is about to end says 503, and that alone.
    """
    if draining.begun:
        return JsonResponse({"status": "draining"}, status=503, headers={"Cache-Control": "no-store"})
    seen = look.now()
    backends = {name: "ok" if up else "down" for name, up in seen.up.items()}
    degraded = {name: DEGRADED[name] for name, state in backends.items() if state == "down"}
    if seen.fan_out_is_late:
        degraded["workers"] = DEGRADED["workers"]
    if seen.index_is_behind:
        degraded["search_index"] = DEGRADED["search_index"]
    return JsonResponse(
        {
            "status": "degraded" if degraded else "ok",
            "backends": backends,
            "breakers": {name: worst_of(some) for name, some in breakers().items()},
            "degraded": degraded,
        },
        headers={"Cache-Control": "no-store"},
    )


def ask_all() -> dict[str, bool]:
    """Returns which backends answer, all asked at once, in at most CHECK_SECONDS."""
    pool = ThreadPoolExecutor(len(CHECKS))
    asked = {name: pool.submit(check) for name, check in CHECKS.items()}
    answers = {name: _answered(name, future) for name, future in asked.items()}
    pool.shutdown(wait=False)
    return answers


def _answered(name: str, future: Future[None]) -> bool:
    """Returns whether the check ended well; whatever goes wrong in it, the others are still told."""
    try:
        future.result(CHECK_SECONDS)
    except Exception as error:
        log.warning("backend_down", backend=name, error=repr(error))
        return False
    return True


def _fan_out_is_late() -> bool:
    """Whether an order is open for longer than LATE_SECONDS; False when the store does not answer. A store read."""
    try:
        oldest = outbox().oldest_open()
    except Unavailable:
        return False
    return oldest is not None and now_us() - id_us(oldest) > LATE_SECONDS * 1_000_000


def _index_is_behind() -> bool:
    """Whether searching misses what is older than LATE_SECONDS; False when the store does not answer. Three reads."""
    try:
        return search_is_on() and (lag_seconds() > LATE_SECONDS or rebuild_wanted())
    except Unavailable:
        return False
