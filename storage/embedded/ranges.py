"""Ranges of many listings in one statement: a sub-select an owner, each along its index."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from django.db import connections

from storage.embedded.base import ALIAS, answering
from storage.ids.snowflakes import MAX_ID
from storage.ports.ranges import Range

T = TypeVar("T")

OWNER = "json_extract(value, '$[0]')"
"""In a listing's condition: whose it is."""

_STATEMENT = (
    "SELECT {owner}, (SELECT json_group_array(json_array({columns})) FROM (SELECT {columns} FROM {listing}"
    " AND {place} BETWEEN json_extract(value, '$[1]') AND json_extract(value, '$[2]') ORDER BY {place} {order}"
    " LIMIT %s)) FROM json_each(%s)"
)


class Listings:
    """Listings of one sort: `listing` is table, index and condition, `place` the column by which they are ordered."""

    def __init__(self, listing: str, *, place: str, columns: Sequence[str]) -> None:
        parts = {"owner": OWNER, "columns": ", ".join(columns), "listing": listing, "place": place}
        self._newest, self._nearest = (_STATEMENT.format(order=order, **parts) for order in ("DESC", "ASC"))

    def read(self, ranges: Mapping[int, Range], params: Sequence[str], row: type[T]) -> dict[int, list[T]]:
        """Returns the rows of each owner's range, newest first; every owner is in the answer. Two statements at most.

        `params` are those of the condition. Raises `Unavailable`.
        """
        down = {owner: each for owner, each in ranges.items() if each.after is None}
        up = {owner: each for owner, each in ranges.items() if each.after is not None}
        found = self._read(self._newest, down, params, row)
        return found | {owner: rows[::-1] for owner, rows in self._read(self._nearest, up, params, row).items()}

    def _read(self, sql: str, ranges: Mapping[int, Range], params: Sequence[str], row: type[T]) -> dict[int, list[T]]:
        """A limit cannot depend on the owner: the largest is read, and each owner's taken of it."""
        if not ranges:
            return {}
        asked = [
            (owner, each.low, MAX_ID if each.before is None else each.before - 1) for owner, each in ranges.items()
        ]
        most = max(each.limit for each in ranges.values())
        with answering(), connections[ALIAS].cursor() as cursor:
            rows = cursor.execute(sql, (*params, most, msgspec.json.encode(asked).decode())).fetchall()
        return {owner: msgspec.json.decode(found, type=list[row])[: ranges[owner].limit] for owner, found in rows}  # type: ignore[valid-type]
