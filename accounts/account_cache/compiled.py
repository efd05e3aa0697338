"""Queries that the ORM writes once: a thread compiles each for its connection, and runs it with other values.

For the two reads of SQL that home needs when what it caches for seconds has ended. The ORM takes
430 µs to build, compile and read one of them, of which the database takes 20; compiled it takes 60.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, models

from accounts.account_cache.sql import ALIAS


class CompiledQuery(threading.local):
    """The statement of a query set of values. Its parameters are those of the query set, in their order."""

    def __init__(self, make: Callable[[], models.QuerySet[Any, Any]]) -> None:
        """`make` is called in each thread that uses it; what it filters by does not matter."""
        self._make = make
        self._compiler: Any = None

    def rows(self, parameters: Sequence[Any]) -> list[Sequence[Any]]:
        """Rows of values, each as the ORM would give it. One statement."""
        connection = connections[ALIAS]
        if self._compiler is None or self._compiler.connection is not connection:
            self._compiler = self._make().query.get_compiler(connection=connection)
            self._sql, _ = self._compiler.as_sql()
            self._converters = self._compiler.get_converters([column for column, _, _ in self._compiler.select])
        with connection.cursor() as cursor:
            cursor.execute(self._sql, parameters)
            return list(self._compiler.apply_converters(cursor.fetchall(), self._converters))
