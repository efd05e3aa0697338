"""The reference of `post`: the rows of a tweet in one atomic write, by the bare driver and nothing else.

    python -m bench.bare_posts NUMBER IN_FLIGHT     # processes of their own, in the stack's environment

In Cassandra one logged batch of prepared statements, with so many in flight; in SQLite one
transaction under the product's PRAGMAs (`synchronous=FULL`), by so many threads that take turns. Text and
entities are constants; the order is done already, as nobody shall work it off. A process says "ready" when
it is connected and warm; then it reads seconds, a line each, writes for so long, and says how many it wrote
a second. `NUMBER` tells processes that run side by side apart.
"""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, PreparedStatement
from django.conf import settings

from bench.stack import Stack
from config.sql_databases import SQLITE_OPTIONS
from deploy.errors import CannotStart
from deploy.plan import ROOT
from storage.cassandra.cluster import open_cluster
from storage.ids.snowflakes import WORKERS, id_minute, id_month, make_id, now_us, spread
from storage.ports.outbox import SHARDS

AUTHORS = 1_000
WARM_UP_SECONDS = 1.0
TEXT = "Fan-out is fast where it counts, and what it counts is proved: @ada said so #timelines https://example.org/7"
ENTITIES = (
    '{"mentions":[{"username":"ada","indices":[63,67]}],"hashtags":[{"tag":"timelines","indices":[76,86]}],'
    '"urls":[{"url":"https://example.org/7","indices":[87,108]}]}'
)
CQL = (
    "INSERT INTO tweets (id, author, text, conversation, in_home, entities) VALUES (?, ?, ?, ?, true, ?)"
    " USING TIMESTAMP ?",
    "INSERT INTO tweets_by_author (author, month, id) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "INSERT INTO author_months (author, month) VALUES (?, ?) USING TIMESTAMP ?",
    "INSERT INTO home_entries_by_author (author, month, id) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "INSERT INTO public_tweets (minute, shard, id) VALUES (?, ?, ?) USING TIMESTAMP ?",
    "INSERT INTO outbox (shard, minute, id, kind, args, done) VALUES (?, ?, ?, 'deliver', ?, true) USING TIMESTAMP ?",
    "INSERT INTO outbox_minutes (shard, minute) VALUES (?, ?) USING TIMESTAMP ?",
)
SQL = (
    "INSERT INTO tweets_tweetrow (id, author, text, conversation, in_home, entities, path)"
    " VALUES (?, ?, ?, ?, 1, ?, '[]')",
    "INSERT INTO storage_outboxorder (id, kind, args, done) VALUES (?, 'deliver', ?, 1)",
)

Write = Callable[[float], int]
"""Writes for so many seconds; answers how many."""


class Ids:
    """(author, id) of one tweet after another; the worker numbers of the last processes that there may be."""

    def __init__(self, number: int) -> None:
        self._worker = WORKERS - 1 - number
        self._us = 0

    def next(self) -> tuple[int, int]:
        self._us = max(now_us(), self._us + 1)
        return 1 + self._us % AUTHORS, make_id(self._us, self._worker)


class Writers:
    """A context: processes that write when told to, one for one in flight, else two that share them."""

    def __init__(self, stack: Stack, in_flight: int) -> None:
        shares = [in_flight] if in_flight == 1 else [in_flight // 2, in_flight - in_flight // 2]
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.bare_posts", str(number), str(share)],
                cwd=ROOT,
                env={**stack.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number, share in enumerate(shares)
        ]
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def write(self, seconds: float) -> float:
        """How many they write a second, all together. Raises `CannotStart` when one of them has failed."""
        if not self._ready:
            self._lines()
            self._ready = True
        for process in self._processes:
            print(seconds, file=process.stdin, flush=True)
        return sum(map(float, self._lines()))

    def _lines(self) -> list[str]:
        lines = [process.stdout.readline() if process.stdout is not None else "" for process in self._processes]
        if "" in lines:
            raise CannotStart("A process of bench/bare_posts.py failed.")
        return lines


def main() -> None:
    number, in_flight = map(int, sys.argv[1:])
    of_store = sqlite if settings.STORE == "embedded" else cassandra
    write = of_store(Ids(number), in_flight)
    write(WARM_UP_SECONDS)
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        count = write(float(line))
        print(count / (time.perf_counter() - began), flush=True)


def cassandra(ids: Ids, in_flight: int) -> Write:
    session: Session = open_cluster().connect(settings.CASSANDRA_KEYSPACE)
    prepared = [session.prepare(cql) for cql in CQL]

    def write(seconds: float) -> int:
        end = time.perf_counter() + seconds
        batches = ((_batch(prepared, *ids.next()), None) for _ in iter(lambda: time.perf_counter() < end, False))
        if in_flight == 1:
            return sum(1 for batch, _ in batches if session.execute(batch) is not None)
        done = execute_concurrent(session, batches, concurrency=in_flight, results_generator=True)
        return sum(1 for _ in done)

    return write


def _batch(prepared: list[PreparedStatement], author: int, tweet: int) -> BatchStatement:
    month, minute, shard, at = id_month(tweet), id_minute(tweet), spread(tweet, SHARDS), now_us()
    values: list[tuple[Any, ...]] = [
        (tweet, author, TEXT, tweet, ENTITIES, at),
        (author, month, tweet, at),
        (author, month, at),
        (author, month, tweet, at),
        (minute, shard, tweet, at),
        (shard, minute, tweet, [tweet, author], at),
        (shard, minute, at),
    ]
    batch = BatchStatement()
    for statement, row in zip(prepared, values, strict=True):
        batch.add(statement.bind(row))
    return batch


def sqlite(ids: Ids, in_flight: int) -> Write:
    turn = threading.Lock()

    def write_in_turn(end: float) -> Iterator[int]:
        connection = sqlite3.connect(settings.DATABASES["store"]["NAME"], isolation_level=None, timeout=15)
        connection.executescript(str(SQLITE_OPTIONS["init_command"]))
        while time.perf_counter() < end:
            with turn:
                author, tweet = ids.next()
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(SQL[0], (tweet, author, TEXT, tweet, ENTITIES))
                connection.execute(SQL[1], (tweet, f"[{tweet}, {author}]"))
                connection.execute("COMMIT")
            yield 1
        connection.close()

    def write(seconds: float) -> int:
        end = time.perf_counter() + seconds
        with ThreadPoolExecutor(in_flight) as pool:
            return sum(pool.map(lambda _: sum(write_in_turn(end)), range(in_flight)))

    return write


if __name__ == "__main__":
    main()
