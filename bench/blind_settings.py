"""The product's settings, of a server that tells nothing of what it does: for bench/sight.py."""

import logging

import structlog
from prometheus_client import Counter, Gauge, Histogram

from config.observability import logs
from config.settings import *  # noqa: F403


def _nothing(*_: object, **__: object) -> None:
    pass


for kind, method in ((Counter, "inc"), (Gauge, "set"), (Gauge, "inc"), (Gauge, "dec"), (Histogram, "observe")):
    setattr(kind, method, _nothing)
logs._write_request = _nothing
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
