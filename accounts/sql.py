"""Says in the project's own words that the SQL database does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError

from storage.errors import Unavailable


@contextmanager
def sql_or_unavailable() -> Iterator[None]:
    """Turns a database that is down, hung or locked into `Unavailable`; also a decorator."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("database") from error
