"""A month log: an owner's rows by time, partitioned by month, and the months that have any.

Tweets of an author and edges of an account are kept so: one table whose key is
((owner…, month), id), with the month of the snowflake, and one with key ((owner…), month)
that a reader consults so as to walk only months that have something. Both rows are written with an order, or as whole
as one (storage/cassandra/outbox.py), so a month that holds a row is always listed.

    CREATE TABLE <table> (…, month int, id bigint, …, PRIMARY KEY ((…, month), id)) WITH CLUSTERING ORDER BY (id DESC)
    CREATE TABLE <months> (…, month int, PRIMARY KEY ((…), month)) WITH CLUSTERING ORDER BY (month DESC)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from storage.cassandra import session
from storage.cassandra.lasting import Lasting
from storage.cassandra.session import Row, Statement
from storage.ids.snowflakes import MAX_ID, id_month, write_timestamp
from storage.ports.ranges import Range

FIRST_GROUP = 1
LARGEST_GROUP = 16
"""Months read side by side: 1, then 2, 4, … 16, so that who writes once a month is read quickly too."""

Owner = tuple[object, ...]
OwnerT = TypeVar("OwnerT", bound=Owner)


class MonthLog:
    """A pair of such tables. `owner` names the key columns, `columns` those besides the id."""

    def __init__(
        self, *, table: str, months: str, owner: Sequence[str], id_column: str = "id", columns: Sequence[str] = ()
    ) -> None:
        key = " AND ".join(f"{column} = ?" for column in owner)
        names = [*owner, "month", id_column, *columns]
        marks = ", ".join("?" for _ in names)
        selected = ", ".join([id_column, *columns])
        rows = f"SELECT {selected} FROM {table} WHERE {key} AND month = ? AND {id_column} >= ? AND {id_column} <= ?"  # noqa: S608
        listing = f"SELECT month FROM {months} WHERE {key} AND month >= ? AND month <= ?"  # noqa: S608
        self._insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}) USING TIMESTAMP ?"  # noqa: S608
        self._insert_month = (
            f"INSERT INTO {months} ({', '.join(owner)}, month) VALUES ({', '.join('?' for _ in owner)}, ?)"  # noqa: S608
            " USING TIMESTAMP ?"
        )
        self._delete = f"DELETE FROM {table} USING TIMESTAMP ? WHERE {key} AND month = ? AND {id_column} = ?"  # noqa: S608
        self._newest = f"{rows} ORDER BY {id_column} DESC LIMIT ?"
        self._oldest = f"{rows} ORDER BY {id_column} ASC LIMIT ?"
        self._months_down = f"{listing} ORDER BY month DESC"
        self._months_up = f"{listing} ORDER BY month ASC"

    def insert(
        self, owner: Owner, snowflake: int, values: Sequence[object] = (), *, timestamp: int | None = None
    ) -> list[Statement]:
        """Writes a row and its month, each at the id's own time, unless at a later one."""
        month = id_month(snowflake)
        timestamp = write_timestamp(snowflake) if timestamp is None else timestamp
        return [
            (self._insert, (*owner, month, snowflake, *values, timestamp)),
            Lasting(self._insert_month, (*owner, month, timestamp)),
        ]

    def delete(self, owner: Owner, snowflake: int, *, timestamp: int) -> Statement:
        """Removes a row written before `timestamp`. The month stays listed; an empty one costs a read."""
        return self._delete, (timestamp, *owner, id_month(snowflake), snowflake)

    def read(
        self, owner: Owner, *, before: int | None = None, after: int = 0, limit: int, oldest_first: bool = False
    ) -> list[Row]:
        """Returns rows (id, *columns) with after < id < before, newest first; shorter than `limit` only at the end.

        Costs one round trip for the months and about log2 of the months walked.
        """
        return self.read_many([owner], before=before, after=after, limit=limit, oldest_first=oldest_first)[owner]

    def read_many(
        self,
        owners: Iterable[Owner],
        *,
        before: int | None = None,
        after: int = 0,
        limit: int,
        oldest_first: bool = False,
    ) -> dict[Owner, list[Row]]:
        """Reads each owner's, `limit` each, side by side: as many round trips as the slowest owner."""
        low, high = after + 1, MAX_ID if before is None else before - 1
        return self._walked([_Walk(owner, low, high, limit) for owner in dict.fromkeys(owners)], oldest_first)

    def read_ranges(self, ranges: Mapping[OwnerT, Range]) -> dict[OwnerT, list[Row]]:
        """Reads a range of each owner's, newest first, side by side as `read_many`; those that go up apart."""
        down: list[_Walk] = []
        up: list[_Walk] = []
        for owner, each in ranges.items():
            high = MAX_ID if each.before is None else each.before - 1
            (down if each.after is None else up).append(_Walk(owner, each.low, high, each.limit))
        found = self._walked(down, oldest_first=False)
        found |= {owner: rows[::-1] for owner, rows in self._walked(up, oldest_first=True).items()}
        return {owner: found[owner] for owner in ranges}

    def _walked(self, walks: Sequence["_Walk"], oldest_first: bool) -> dict[Owner, list[Row]]:
        to_list = [walk for walk in walks if walk.low <= walk.high and walk.limit > 0]
        if to_list:
            self._list_months(to_list, self._months_up if oldest_first else self._months_down)
        cql = self._oldest if oldest_first else self._newest
        while unfinished := [walk for walk in to_list if not walk.finished]:
            groups = [(walk, month) for walk in unfinished for month in walk.next_months()]
            found = session.execute_many(
                cql, [(*walk.owner, month, walk.low, walk.high, walk.limit - len(walk.rows)) for walk, month in groups]
            )
            for (walk, _), rows in zip(groups, found, strict=True):
                walk.add(rows)
        return {walk.owner: walk.rows for walk in walks}

    def _list_months(self, walks: Sequence["_Walk"], cql: str) -> None:
        listed = session.execute_many(cql, [(*walk.owner, id_month(walk.low), id_month(walk.high)) for walk in walks])
        for walk, months in zip(walks, listed, strict=True):
            walk.months = [month for (month,) in months]


class _Walk:
    """The reading of one owner, as far as it has come."""

    def __init__(self, owner: Owner, low: int, high: int, limit: int) -> None:
        self.owner = owner
        self.low = low
        self.high = high
        self.limit = limit
        self.months: list[int] = []
        self.rows: list[Row] = []
        self._group = FIRST_GROUP

    @property
    def finished(self) -> bool:
        return not self.months or len(self.rows) >= self.limit

    def next_months(self) -> list[int]:
        group, self.months = self.months[: self._group], self.months[self._group :]
        self._group = min(self._group * 2, LARGEST_GROUP)
        return group

    def add(self, rows: list[Row]) -> None:
        """Months come in reading order, so what is beyond the limit is the farthest."""
        self.rows.extend(rows[: self.limit - len(self.rows)])
