"""The reference of `cold`: the rows of the store that a first read needs, by the bare driver, at once.

Whoever reads them knows everything beforehand. So no statement waits for another one, and those of
the entries name the oldest entry that belongs to the timeline: they answer its 800 and not a row
more. Ids are decoded, and that is all. In Cassandra there are as many authors in a statement as is
fastest here, and 64 statements in flight; in SQLite one statement reads the entries of all.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from django.conf import settings

from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, MUTE
from bench.stack import Stack
from fanout.delivery.celebrities import DIRECTORIES, PULLED_EDGE
from storage.cassandra.cluster import open_cluster
from storage.ids.snowflakes import id_month
from tweets.kinds import BOOKMARK, LIKE, RETWEET

Read = Callable[[], list[int]]
"""Reads all rows; answers the ids of the entries."""

PEOPLE = (FOLLOW, BLOCK, BLOCKED_BY, MUTE)
"""Edges of the reader that say whose entries home shows."""
MARKS = (LIKE, RETWEET, BOOKMARK)
"""Edges of the reader that the flags of the page are told from."""
IN_FLIGHT = 64
AUTHORS_A_SELECT = 50


class Rows(Protocol):
    def read(self, reader: int, followees: Sequence[int], *, floor: int, newest: int) -> Read:
        """What reads the rows of this reader, whose timeline goes from `floor` to `newest`."""

    def close(self) -> None:
        """Ends the connection."""


def of(stack: Stack) -> Rows:
    return SQLiteRows() if stack.env["STORE"] == "embedded" else CassandraRows()


class CassandraRows:
    """A session as the product's: the same protocol, policies and consistency."""

    EDGES = "SELECT target, active FROM edges_out WHERE source = ? AND kind = ?"
    MARK_MONTHS = "SELECT month FROM edge_months WHERE owner = ? AND kind = ? AND direction = 'out'"
    ENTRIES = "SELECT id FROM home_entries_by_author WHERE author IN ? AND month IN ? AND id >= ?"

    def __init__(self) -> None:
        self._cluster = open_cluster()
        self._session: Session = self._cluster.connect(settings.CASSANDRA_KEYSPACE)
        self._prepared = {cql: self._session.prepare(cql) for cql in (self.EDGES, self.MARK_MONTHS, self.ENTRIES)}

    def read(self, reader: int, followees: Sequence[int], *, floor: int, newest: int) -> Read:
        months = list(range(id_month(floor), id_month(newest) + 1))
        groups = [
            list(followees[start : start + AUTHORS_A_SELECT]) for start in range(0, len(followees), AUTHORS_A_SELECT)
        ]
        entries = [(self.ENTRIES, (group, months, floor)) for group in groups]
        others = [
            *((self.EDGES, (reader, kind)) for kind in PEOPLE),
            *((self.EDGES, (directory, PULLED_EDGE)) for directory in range(1, DIRECTORIES + 1)),
            *((self.MARK_MONTHS, (reader, kind)) for kind in MARKS),
        ]
        bound = [(self._prepared[cql].bind(values), None) for cql, values in [*entries, *others]]

        def read() -> list[int]:
            found = execute_concurrent(self._session, bound, concurrency=IN_FLIGHT)
            rows = [list(result.result_or_exc) for result in found]
            return [entry for group in rows[: len(entries)] for (entry,) in group]

        return read

    def close(self) -> None:
        self._cluster.shutdown()


class SQLiteRows:
    """A connection of its own to the file."""

    EDGES = "SELECT target FROM storage_edge WHERE source = ? AND kind = ? AND active"
    MARKED = "SELECT target FROM storage_edge WHERE source = ? AND kind = ? AND active ORDER BY op DESC LIMIT 500"
    ENTRIES = (
        "SELECT tweets_tweetrow.id FROM json_each(?) JOIN tweets_tweetrow INDEXED BY home_entries_by_author"
        " ON author = json_each.value WHERE deleted_by IS NULL AND in_home AND tweets_tweetrow.id >= ?"
    )

    def __init__(self) -> None:
        self._connection = sqlite3.connect(settings.DATABASES["store"]["NAME"], isolation_level=None)

    def read(self, reader: int, followees: Sequence[int], *, floor: int, newest: int) -> Read:
        authors = msgspec.json.encode(list(followees)).decode()
        others: list[tuple[str, tuple[Any, ...]]] = [
            *((self.EDGES, (reader, kind)) for kind in PEOPLE),
            *((self.EDGES, (directory, PULLED_EDGE)) for directory in range(1, DIRECTORIES + 1)),
            *((self.MARKED, (reader, kind)) for kind in MARKS),
        ]

        def read() -> list[int]:
            for sql, values in others:
                self._connection.execute(sql, values).fetchall()
            return [entry for (entry,) in self._connection.execute(self.ENTRIES, (authors, floor)).fetchall()]

        return read

    def close(self) -> None:
        self._connection.close()
