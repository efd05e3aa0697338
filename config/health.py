"""Is the process up, and what works at the moment?"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from storage.errors import Unavailable
from storage.redis import broker_node, timeline_node
from storage.stores import ping_store

CHECK_SECONDS = 6
"""A little more than the slowest backend's own timeout (5 s); all are asked at the same time."""


def _ping_database() -> None:
    """In a thread of its own, and so on a connection of its own, which is closed again."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise Unavailable("database") from error
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
    answers = {name: _answered(future) for name, future in asked.items()}
    pool.shutdown(wait=False)
    return answers


def _answered(future: Future[None]) -> bool:
    try:
        future.result(CHECK_SECONDS)
    except (Unavailable, TooLate):
        return False
    return True
