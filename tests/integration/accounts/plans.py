"""How a database goes about a statement where scanning such a small table is not allowed it."""

from typing import Any

from django.db import connection


def plan_of(sql: str) -> list[str]:
    """Its lines; raises `AssertionError` where something is sorted that an index has in order."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
        cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + sql)
        rows: list[Any] = cursor.fetchall()
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
    plan = [str(row[-1]) for row in rows]
    assert not [line for line in plan if "Sort" in line or "TEMP B-TREE" in line], "it is read in the index's order"
    return plan
