"""Is the process up, and what works at the moment?"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from django.db import connection
from django.http import HttpRequest, JsonResponse

from storage.redis import broker_node, timeline_node
from storage.stores import ping_store

log = structlog.get_logger(__name__)

CHECK_SECONDS = 6
"""A little more than the slowest backend's own timeout (5 s); all are asked at the same time."""


def _ping_database() -> None:
    """In a thread of its own, and so on a connection of its own, which is closed again."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


CHECKS: dict[str, Callable[[], None]] = {
    "redis_timelines": lambda: timeline_node().ping(),
    "redis_broker": lambda: broker_node().ping(),
    "store": ping_store,
    "database": _ping_database,
}
DEGRADED = {
    "redis_timelines": "Posting and reading work; home timelines are pulled from the store. Live updates pause.",
    "redis_broker": "Posting and reading work; fan-out waits, nothing is lost.",
    "store": "Signing in and cached pages work. Posting and other reads answer 503.",
    "database": "Cached profiles and token checks work for seconds. Signing up and in answer 503.",
}


def healthz(request: HttpRequest) -> JsonResponse:
    """The process is up. Touches nothing else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Each backend "ok" or "down", and what that means. Degraded is still 200: most things work."""
    backends = {name: "ok" if up else "down" for name, up in ask_all().items()}
    degraded = {name: DEGRADED[name] for name, state in backends.items() if state == "down"}
    return JsonResponse(
        {"status": "degraded" if degraded else "ok", "backends": backends, "degraded": degraded},
        headers={"Cache-Control": "no-store"},
    )


def ask_all() -> dict[str, bool]:
    """Which backends answer, all asked at once, in at most CHECK_SECONDS."""
    pool = ThreadPoolExecutor(len(CHECKS))
    asked = {name: pool.submit(check) for name, check in CHECKS.items()}
    answers = {name: _answered(name, future) for name, future in asked.items()}
    pool.shutdown(wait=False)
    return answers


def _answered(name: str, future: Future[None]) -> bool:
    """Whatever goes wrong in a check, its backend counts as down and the others are still told."""
    try:
        future.result(CHECK_SECONDS)
    except Exception as error:
        log.warning("backend_down", backend=name, cause=repr(error))
        return False
    return True
