"""Around a request, its thread's SQL connections are looked after if they were used, failed or have come of age.

Django does so twice a request with every connection, used or not, and with queries that only DEBUG notes and a cache
that nobody has: a tenth of what a warm read costs, which asks no SQL. What is done here is Django's own
(`close_if_unusable_or_obsolete`), at both ends of the request:

- a connection that was used is checked anew before it is used again (CONN_HEALTH_CHECKS);
- one that met an error which may have broken it, or is older than CONN_MAX_AGE, is closed, also one that has come of
  age while its thread had nothing to do;
- so is one that was left in another mode of autocommit. One without health checks (SQLite) does not tell whether it was
  used, so this is looked at each time.
"""

import threading
import time
from typing import Any

from django.conf import settings
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class _Of(threading.local):
    """The connections that a thread has opened for its requests."""

    def __init__(self) -> None:
        self.thread: list[Any] = []


_opened = _Of()


def look_after() -> None:
    """Takes the place of Django's receivers of a request's beginning and end, in this process."""
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    request_finished.disconnect(close_caches)
    connection_created.connect(_remember, dispatch_uid="sql_connections")
    for signal in (request_started, request_finished):
        signal.connect(close_what_is_over, dispatch_uid="sql_connections")


def close_what_is_over(**_: object) -> None:
    """Looks after this thread's connections. Costs nothing for those that were not used."""
    for each in _opened.thread:
        is_old = each.close_at is not None and time.monotonic() >= each.close_at
        is_left_open = each.autocommit != each.settings_dict["AUTOCOMMIT"]
        if each.health_check_done or each.errors_occurred or is_old or is_left_open:
            each.close_if_unusable_or_obsolete()
            # Django holds one that works after an error for checked, until it looks again as the next request begins.
            each.health_check_done = False


def _remember(connection: BaseDatabaseWrapper, **_: object) -> None:
    """But for those that somebody makes and closes by themselves."""
    if connection not in _opened.thread and connections[connection.alias] is connection:
        _opened.thread.append(connection)
