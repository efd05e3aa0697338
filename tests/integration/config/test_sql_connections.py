"""Around a request its thread's SQL connections are looked after, as Django would, if there is something to do."""

import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from config.serving import sql_connections
from config.serving.sql_connections import close_what_is_over

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _opened(database: None) -> Iterator[None]:
    """This thread's connections, as their opening has made them known; not those of other tests, who had others."""
    sql_connections._opened.thread.clear()
    for each in connections.all():
        each.close()
        each.ensure_connection()
    close_what_is_over()
    yield
    connection.close()
    connection.ensure_connection()
    close_what_is_over()


def is_open() -> bool:
    return connection.connection is not None


def opened() -> Any:
    """The thread's own connection itself."""
    [found] = [each for each in sql_connections._opened.thread if each.alias == "default"]
    return found


def test_djangos_own_receivers_have_gone() -> None:
    """A test's client puts them back."""
    request_finished.connect(close_old_connections)
    request_started.connect(close_old_connections)
    sql_connections.look_after()
    began, ended = (each._live_receivers(None)[0] for each in (request_started, request_finished))
    assert close_old_connections not in [*began, *ended]
    assert close_what_is_over in began
    assert close_what_is_over in ended


def test_a_connection_that_was_not_used_is_not_looked_at() -> None:
    with patch.object(BaseDatabaseWrapper, "close_if_unusable_or_obsolete") as looked:
        close_what_is_over()
    assert not looked.called
    assert is_open()


def test_one_that_was_used_is_checked_before_it_is_used_again() -> None:
    used = opened()
    used.health_check_done = True
    close_what_is_over()
    assert not used.health_check_done
    assert is_open()


def test_one_that_is_broken_is_closed() -> None:
    connection.errors_occurred = True
    with patch.object(connection, "is_usable", lambda: False):
        close_what_is_over()
    assert not is_open()


def test_one_that_works_after_an_error_stays() -> None:
    connection.errors_occurred = True
    close_what_is_over()
    assert is_open()
    assert not connection.errors_occurred
    assert not opened().health_check_done, "it may break before it is used again"


def test_one_that_was_left_within_a_transaction_is_closed_though_nothing_else_tells_that_it_was_used() -> None:
    connection.set_autocommit(False)
    close_what_is_over()
    assert not is_open()


def test_one_that_has_come_of_age_is_closed_though_nobody_uses_it() -> None:
    connection.close_at = time.monotonic() + 60
    close_what_is_over()
    assert is_open()
    connection.close_at = time.monotonic()
    close_what_is_over()
    assert not is_open()
    connection.ensure_connection()
    connection.close_at = time.monotonic()
    close_what_is_over()
    assert not is_open(), "it is known again"


def test_what_somebody_makes_for_themselves_is_theirs() -> None:
    own = connections.create_connection("default")
    own.ensure_connection()
    assert own not in sql_connections._opened.thread
    own.close()
