"""Watching and breaking the backends of a test."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.test import override_settings

from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import wait_until
from storage import breakers
from storage.breakers import Breaker, State
from storage.cassandra import session
from storage.errors import Unavailable
from storage.redis.lasting_cache import TOLD, vouch_key
from storage.redis.node import RedisNode, timeline_node
from storage.redis.reads import Command


@contextmanager
def counted_round_trips() -> Iterator[list[tuple[Command, ...]]]:
    """The commands of each Redis round trip made inside, on any node."""
    trips: list[tuple[Command, ...]] = []
    original = RedisNode.round_trip

    def counted(self: RedisNode, *commands: Command) -> list[Any]:
        trips.append(commands)
        return original(self, *commands)

    with patch.object(RedisNode, "round_trip", counted):
        yield trips


def vouch_for_all(state: bytes = TOLD) -> None:
    """Redis has heard of every change, and will have for as long as a test lasts."""
    shards = range(settings.TIMELINE_SHARDS)
    timeline_node().round_trip(*[("SET", vouch_key(shard), state, "EX", 3600) for shard in shards])


def vouch_for_none() -> None:
    """As when nobody has looked for a while."""
    timeline_node().round_trip(("DEL", *[vouch_key(shard) for shard in range(settings.TIMELINE_SHARDS)]))


@contextmanager
def timeline_redis_down() -> Iterator[None]:
    """Inside, nothing listens where this process looks for the timeline Redis; afterwards all is as before."""
    with node_elsewhere(timeline_node(), f"redis://{LOOPBACK}:{free_port()}/0"):
        yield


@contextmanager
def timeline_redis_at(url: str) -> Iterator[None]:
    """Inside, this process takes another server for the timeline Redis, over new connections."""
    with node_elsewhere(timeline_node(), url):
        yield


@contextmanager
def node_elsewhere(node: RedisNode, url: str) -> Iterator[None]:
    """Inside, this process looks for the node at another address; afterwards its breaker is closed as well."""
    address, cluster = node.url, node._cluster
    node.url, node._client, node._cluster = url, None, None
    try:
        yield
    finally:
        node.url, node._client, node._cluster = address, None, cluster
        node.breaker.reset()


@contextmanager
def connected_anew(node: RedisNode, *, timeout_seconds: float) -> Iterator[None]:
    """Inside, this process waits for the node for so long; its connections are other ones inside and afterwards."""
    node._client = None
    try:
        with override_settings(REDIS_TIMEOUT_SECONDS=timeout_seconds):
            yield
    finally:
        node._client = None


@contextmanager
def counted_sql(alias: str) -> Iterator[list[str]]:
    """The statements of this thread on one SQL database made inside; savepoints and transactions as well."""
    statements: list[str] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(count):
        yield statements


@contextmanager
def sql_of_all_threads(alias: str = "default") -> Iterator[list[str]]:
    """The statements of all threads of this process on one SQL database made inside."""
    statements: list[str] = []
    original = CursorWrapper.execute

    def count(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        if self.db.alias == alias:
            statements.append(str(sql))
        return original(self, sql, params)

    with patch.object(CursorWrapper, "execute", count):
        yield statements


@contextmanager
def counted_store_calls() -> Iterator[list[str]]:
    """The reads and writes of the store in use made inside, whichever it is.

    A group of statements sent together is one; so is an SQL statement. One of `execute_soon` is under way beside what
    follows it. Done marks, which go behind with those of other orders, are none (storage/cassandra/marks.py).
    """
    calls: list[str] = []
    names = ["execute", "execute_soon", "execute_all", "write_all", "execute_if", "read_serial"]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(patch.object(session, name, _noting(calls, name, getattr(session, name))))
        embedded = stack.enter_context(counted_sql("store"))
        yield calls
    calls += [sql for sql in embedded if not sql.startswith("BEGIN")]


def _noting(calls: list[str], name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return original(*args, **kwargs)

    return noting


class Probes:
    """Breakers probe when the test lets them, so many times."""

    def __init__(self) -> None:
        self._left = threading.Semaphore(0)
        self._over = False

    def let(self, times: int) -> None:
        for _ in range(times):
            self._left.release()

    def until(self, condition: Callable[[], bool], *, seconds: float = 60.0) -> bool:
        return wait_until(condition, seconds=seconds)

    def sleep(self, _: float) -> None:
        while not self._over and not self._left.acquire(timeout=0.05):
            pass

    def end(self) -> None:
        self._over = True
        breakers.reset_all()


@contextmanager
def probes_by_hand() -> Iterator[Probes]:
    """Inside, a breaker that has opened stays open until the test lets it probe."""
    probes = Probes()
    with patch.object(breakers, "sleep", probes.sleep):
        try:
            yield probes
        finally:
            probes.end()


def let_it_be_known(breaker: Breaker, ask: Callable[[], object]) -> None:
    """Asks until the breaker knows that its backend is down."""
    for _ in range(20):
        with suppress(Unavailable):
            ask()
        if breaker.state is not State.CLOSED:
            return
    raise AssertionError(f"{breaker.backend} answers")


@contextmanager
def own_file(alias: str, directory: Path) -> Iterator[None]:
    """Inside, that SQLite database is a copy in the directory: threads of earlier tests may have the other one open."""
    name, own = connections[alias].settings_dict["NAME"], directory / f"own-{alias}.sqlite3"
    connections[alias].close()
    with closing(sqlite3.connect(name)) as shared, closing(sqlite3.connect(own)) as copy:
        shared.backup(copy)
    connections[alias].settings_dict["NAME"] = str(own)
    try:
        yield
    finally:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
