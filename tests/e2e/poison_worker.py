"""A worker as the product's own, but that one kind of order kills its process, and pauses are short.

python -m celery --app tests.e2e.poison_worker worker …
"""

import os
from typing import Any
from unittest.mock import patch

import django
from celery.signals import worker_init
from django.utils.module_loading import import_string

from config.celery import app

__all__ = ["app"]

POISON = "poison"
DIED = 7
"""The exit status of a process that this order has killed."""
BACKOFF_SECONDS, ATTEMPT_SECONDS = 0.2, 3.0


@worker_init.connect
def prepare(**_: Any) -> None:
    django.setup()
    work_off = import_string("fanout.orders.handlers.work_off")

    def work_off_or_die(order: Any, *, resent: bool) -> None:
        if order.kind == POISON:
            os._exit(DIED)
        work_off(order, resent=resent)

    patch("fanout.orders.handlers.work_off", work_off_or_die).start()
    patch("fanout.orders.attempts.BACKOFF_SECONDS", BACKOFF_SECONDS).start()
    patch("fanout.orders.attempts.ATTEMPT_SECONDS", ATTEMPT_SECONDS).start()
