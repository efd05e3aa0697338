"""What is known of every task that ran: its counts, and what its log lines say of it.

    task_runs_total{task,outcome}   tasks that ended, `success` or `failure`
    task_seconds{task}              how long they took

Tasks are those that are registered, so their names are bounded by the code. While one runs, each log line of its
thread has its `task_id`, and that of an order's task its `order_id`.
"""

import time
from typing import Any

from celery import Task
from celery.signals import beat_init, task_postrun, task_prerun, worker_init
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, unbind_contextvars

from storage.exposition import serve_figures

RUNS = Counter("task_runs", "Tasks that ended.", ["task", "outcome"])
SECONDS = Histogram("task_seconds", "From a task's beginning to its end.", ["task"])
OF_ORDERS = ("fanout.work_order", "fanout.work_part")
"""Tasks whose first argument is an order's id."""
BOUND = ("task_id", "order_id")


def observe() -> None:
    """Has this process count its tasks, if it works any off, and serve its figures, if it is a worker or beat."""
    task_prerun.connect(_begin)
    task_postrun.connect(_end)
    worker_init.connect(_serve)
    beat_init.connect(_serve)


def _begin(task_id: str, task: "Task[..., Any]", args: tuple[object, ...], **_: object) -> None:
    task.request.began = time.perf_counter()  # type: ignore[attr-defined]  # a request keeps what it is given
    RUNS.labels(task.name, "failure")  # is there before it is 1: a rate needs a value before
    bind_contextvars(task_id=task_id, **({"order_id": args[0]} if task.name in OF_ORDERS and args else {}))


def _end(task: "Task[..., Any]", state: str, **_: object) -> None:
    RUNS.labels(task.name, "success" if state == "SUCCESS" else "failure").inc()
    SECONDS.labels(task.name).observe(time.perf_counter() - task.request.began)  # type: ignore[attr-defined]
    unbind_contextvars(*BOUND)


def _serve(**_: object) -> None:
    serve_figures()
