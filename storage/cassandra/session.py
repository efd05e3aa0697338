"""The process's one Cassandra session: opened on first use, thread-safe, new in a forked child.

Stores call the functions below and see rows (tuples, in the order of the columns selected)
or `Unavailable("cassandra")`; no error of the driver that means "down, slow or overloaded"
leaves this module. Errors of the caller, such as CQL that does not parse, do.

Every statement is prepared once a session and marked idempotent (writes carry their
operation's timestamp), so the driver asks another node as well, within the statement's one timeout:
at once when the first is lost or answers that its replicas were late, and after a moment when it says
nothing (cluster.py). What fails at once on every node (connections just lost, nodes overloaded) is tried once
more after a short pause, so that a blip costs a moment and no 503; what took its timeout is not,
since a second try would double the wait. Conditional statements (`IF`) are never retried.

**No logged batches.** Such a batch wants its log on two nodes besides the coordinator, and with one of three just
killed it waits for that node, for as long as the others believe it alive. Plain writes wait for a quorum of their own
replicas. What has to come whole is written by storage/cassandra/outbox.py.

The breaker (storage/breakers.py) is around each try: while it is open nothing is sent or retried.
It opens on silence. A coordinator that refuses a statement has answered, and so has one that says that too few
replicas answered it: that is about the rows asked for, and other rows may have other replicas. Only when nothing but
timeouts is answered, LATE_FAILURES in a row, is the cluster taken to be overloaded, and left alone for a second or two.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from cassandra import ConsistencyLevel, Timeout
from cassandra import OperationTimedOut as ClientTimeout
from cassandra.cluster import Cluster, ResponseFuture, Session
from cassandra.concurrent import execute_concurrent
from cassandra.connection import ConnectionException
from cassandra.protocol import ErrorMessage
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement, SimpleStatement
from django.conf import settings

from storage.breakers import Breaker, State
from storage.cassandra.cluster import open_cluster
from storage.cassandra.failures import CALLERS_FAULT, CAS_WRITE_UNKNOWN, DOWN, PASSING, Undecided, is_late, is_silence
from storage.errors import Unavailable
from storage.figures import STORE_SECONDS
from storage.process import start_anew_after_fork
from storage.spans import Attributes, Kind
from storage.tracing import traced

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row = tuple[Any, ...]
Statement = tuple[str, Sequence[object]]
"""CQL with `?` in it, and the values for them."""

FETCH_SIZE = 5_000
"""Rows a page between driver and server: 670,000 ids/s; larger pages gain little, cost latency."""
TOGETHER = 10
"""Statements of one request of `write_all`: so many partitions in a batch nodes take without a warning."""
CONCURRENCY = 64
"""Statements in flight of one `execute_all`: 3× the throughput of one at a time; more gains nothing."""
LEAST_TOKEN = -(2**63)
"""No partition has it."""
PINGED_SHARDS = 8
_PINGED = "SELECT minute FROM outbox_minutes WHERE shard = ? AND minute = ?"
"""Partitions on which every order depends; so many are likely to be on several nodes."""
RECONNECT_PAUSE_SECONDS = 1.0
"""After a failed connect, calls fail at once for this long rather than queue up behind another try."""

FAILURES = 3
"""So many silences in a row open the breaker: one slow statement is nobody else's business."""
LATE_FAILURES = 20
"""So many timeouts told by coordinators in a row, of whatever statements and without one success, open it as well."""

AGAIN_AFTER_SECONDS = (0.05, 0.15)
AGAIN_WITHIN_SECONDS = 0.5
"""Once more after a pause between these, unless so much time has gone by."""

# The server advises every client that prepares in a session's keyspace; this one never changes it.
logging.getLogger("cassandra.protocol").addFilter(lambda record: "`USE <keyspace>`" not in record.getMessage())


class Opened:
    """A connected cluster with the statements prepared on it."""

    def __init__(self, cluster: Cluster, session: Session) -> None:
        self.cluster = cluster
        self.session = session
        self._prepared: dict[str, PreparedStatement] = {}
        self._lock = threading.Lock()

    def bind(self, cql: str, params: Sequence[object], *, idempotent: bool = True) -> BoundStatement:
        """Returns the statement with its values; prepares it when it is first asked for, which is a round trip."""
        statement = self._prepared.get(cql) or self._prepare(cql)
        bound = statement.bind(params)
        bound.is_idempotent = idempotent
        return bound

    def bind_together(self, statements: Sequence[Statement]) -> BoundStatement | BatchStatement:
        """Returns several in one request, which is all that they share."""
        if len(statements) == 1:
            return self.bind(*statements[0])
        together = BatchStatement(batch_type=BatchType.UNLOGGED)
        for cql, params in statements:
            together.add(self.bind(cql, params))
        together.is_idempotent = True
        return together

    def _prepare(self, cql: str) -> PreparedStatement:
        with self._lock:
            if cql not in self._prepared:
                self._prepared[cql] = self.session.prepare(cql)
            return self._prepared[cql]


class _Process:
    """The session that this process has open. A forked child starts with nothing."""

    def __init__(self) -> None:
        self.open: Opened | None = None
        self._inherited: list[Opened] = []
        """A parent's sessions, kept from being finalised in a child: their sockets are the parent's too."""
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves a parent's session alone; the next call opens another."""
        if self.open is not None:
            self._inherited.append(self.open)
        self.open = None
        self.lock = threading.Lock()
        self.refuse_until = 0.0


_process = _Process()


def _described(cql: str, *_args: object, **_kwargs: object) -> Attributes:
    """Its statement, whose values are `?`."""
    return {"db.system.name": "cassandra", "db.query.text": cql}


def _described_all(_statements: object, **_kwargs: object) -> Attributes:
    """Nothing of the statements, which may be made while they are sent."""
    return {"db.system.name": "cassandra", "db.operation.name": "several"}


def _described_writes(statements: Sequence[Statement], **_kwargs: object) -> Attributes:
    texts = "; ".join(dict.fromkeys(cql for cql, _ in statements))
    return {"db.system.name": "cassandra", "db.query.text": texts, "feed.statements": len(statements)}


@traced("cassandra", Kind.CLIENT, _described)
def execute(cql: str, params: Sequence[object] = (), *, fetch_size: int = FETCH_SIZE) -> list[Row]:
    """Returns all rows of one statement. One round trip a page of `fetch_size`."""

    def ask(opened: Opened) -> list[Row]:
        bound = opened.bind(cql, params)
        bound.fetch_size = fetch_size
        return list(opened.session.execute(bound))

    return _answer(ask)


@traced("cassandra", Kind.CLIENT, _described_all)
def execute_all(statements: Iterable[Statement], *, concurrency: int = CONCURRENCY) -> list[list[Row]]:
    """Returns the rows of each statement, in their order; up to `concurrency` in flight. All or `Unavailable`."""
    asked = list(statements)

    def ask(opened: Opened) -> list[list[Row]]:
        bound = [opened.bind(cql, params) for cql, params in asked]
        if len(bound) <= concurrency:
            sent = [opened.session.execute_async(each) for each in bound]
            return [list(each.result()) for each in sent]
        pairs = [(each, None) for each in bound]
        results = execute_concurrent(opened.session, pairs, concurrency=concurrency, raise_on_first_error=True)
        return [list(result.result_or_exc) for result in results]

    return _answer(ask) if asked else []


def execute_many(cql: str, rows: Iterable[Sequence[object]], *, concurrency: int = CONCURRENCY) -> list[list[Row]]:
    """Does as `execute_all`, of one statement with many rows of values."""
    return execute_all(((cql, row) for row in rows), concurrency=concurrency)


@traced("cassandra", Kind.CLIENT, _described_writes)
def write_all(statements: Sequence[Statement], *, timeout_seconds: float | None = None) -> None:
    """Writes all of them, in no order: after `Unavailable` any of them may have happened, now or a little later.

    One round trip, of a request each TOGETHER. Give each statement its own `USING TIMESTAMP ?`, and repeat all.
    """

    def write(opened: Opened) -> None:
        timeout = {} if timeout_seconds is None else {"timeout": timeout_seconds}
        groups = [statements[start : start + TOGETHER] for start in range(0, len(statements), TOGETHER)]
        sent = [opened.session.execute_async(opened.bind_together(group), **timeout) for group in groups]
        for each in sent:
            each.result()

    if statements:
        _answer(write)


def execute_soon(cql: str, params: Sequence[object] = ()) -> Callable[[], list[Row]]:
    """Sends a statement, and returns what waits for its rows: others may be sent meanwhile, and waited for together.

    Of few rows, up to FETCH_SIZE. What it raises is raised by the wait, as `execute` would; what could not be sent is
    sent then.
    """
    return _soon(cql, lambda opened: opened.bind(cql, params))


def _soon(cql: str, bind: Callable[[Opened], BoundStatement | BatchStatement]) -> Callable[[], list[Row]]:
    began, sent = time.monotonic(), _sent(bind)

    def ask(opened: Opened) -> list[Row]:
        nonlocal sent
        under_way, sent = sent, None
        return list((under_way or opened.session.execute_async(bind(opened))).result())

    return partial(_waited, cql, ask, began)


@traced("cassandra", Kind.CLIENT, _described)
def _waited(_cql: str, ask: Callable[[Opened], list[Row]], began: float) -> list[Row]:
    return _answer(ask, began=began)


def write_soon(statements: Sequence[Statement]) -> Callable[[], list[Row]]:
    """Sends up to TOGETHER writes as one request, and returns what waits for it, as `execute_soon` does."""
    return _soon(statements[0][0], lambda opened: opened.bind_together(statements))


def write_unwaited(cql: str, params: Sequence[object]) -> None:
    """Sends a write that may as well be lost, and returns. Raises nothing."""
    _sent(lambda opened: opened.bind(cql, params))


def _sent(bind: Callable[[Opened], BoundStatement | BatchStatement]) -> ResponseFuture | None:
    """The statement under way; None if nothing can be sent now."""
    opened = _process.open
    if opened is None or breaker.state is not State.CLOSED:
        return None
    try:
        return opened.session.execute_async(bind(opened))
    except DOWN as error:
        logger.info("a statement was not sent: %s", type(error).__name__)
        return None


@traced("cassandra", Kind.CLIENT, _described)
def execute_if(cql: str, params: Sequence[object]) -> bool:
    """Returns whether a conditional statement (`IF …`) applied. Raises `Undecided` when that is unknown."""

    def write(opened: Opened) -> bool:
        try:
            return bool(opened.session.execute(opened.bind(cql, params, idempotent=False)).one()[0])
        except (Timeout, ClientTimeout, ConnectionException) as error:
            raise _undecided(error) from error
        except ErrorMessage as error:
            if error.code == CAS_WRITE_UNKNOWN:
                raise _undecided(error) from error
            raise

    return _answer(write, repeatable=False)


@traced("cassandra", Kind.CLIENT, _described)
def read_serial(cql: str, params: Sequence[object]) -> list[Row]:
    """Returns the rows of one partition at SERIAL.

    That completes conditional writes in flight, so they are decided.
    """

    def ask(opened: Opened) -> list[Row]:
        bound = opened.bind(cql, params)
        bound.consistency_level = ConsistencyLevel.SERIAL
        return list(opened.session.execute(bound))

    return _answer(ask)


def walk_partitions(table: str, key: str) -> Iterator[Row]:
    """Returns the partition key of every partition, whose columns are `key`, in the order of their tokens.

    FETCH_SIZE a statement; what is written meanwhile may be in it or not. For repairs: it asks every node.
    """
    cql = f"SELECT DISTINCT {key}, token({key}) FROM {table} WHERE token({key}) > ? LIMIT {FETCH_SIZE}"  # noqa: S608
    after = LEAST_TOKEN
    while rows := execute(cql, (after,)):
        yield from (row[:-1] for row in rows)
        after = rows[-1][-1]


def ping() -> None:
    """Reads a few partitions of the product's own, at its consistency. Raises `Unavailable` when a quorum is away."""
    execute_many(_PINGED, [(shard, 0) for shard in range(PINGED_SHARDS)])


def is_open() -> bool:
    """Says whether this process has a session."""
    return _process.open is not None


def close() -> None:
    """Closes this process's session; the next call opens another."""
    with _process.lock:
        opened, _process.open, _process.refuse_until = _process.open, None, 0.0
    if opened is not None:
        opened.cluster.shutdown()


def _answer(ask: Callable[[Opened], T], *, repeatable: bool = True, began: float | None = None) -> T:
    """Returns what `ask` answers, the second time perhaps; errors that mean "down" become `Unavailable`."""
    began = time.monotonic() if began is None else began
    try:
        try:
            return _through_the_breaker(ask)
        except PASSING:
            if not repeatable or time.monotonic() - began > AGAIN_WITHIN_SECONDS:
                raise
        time.sleep(random.uniform(*AGAIN_AFTER_SECONDS))  # noqa: S311 - spreads load, hides nothing
        return _through_the_breaker(ask)
    except CALLERS_FAULT:
        raise
    except DOWN as error:
        logger.warning("cassandra does not answer: %s: %s", type(error).__name__, error)
        raise Unavailable("cassandra") from error


def _through_the_breaker(ask: Callable[[Opened], T]) -> T:
    with breaker.guard(), STORE_SECONDS.time():
        return ask(_opened())


def _read_version(opened: Opened) -> None:
    opened.session.execute(SimpleStatement("SELECT release_version FROM system.local", is_idempotent=True))


def _undecided(error: Exception) -> Undecided:
    logger.warning("conditional write undecided: %s: %s", type(error).__name__, error)
    return Undecided("cassandra")


def _opened() -> Opened:
    opened = _process.open
    if opened is not None:
        return opened
    with _process.lock:
        if _process.open is None:
            _process.open = _connect()
        return _process.open


def _connect() -> Opened:
    if time.monotonic() < _process.refuse_until:
        raise Unavailable("cassandra")
    cluster = open_cluster()
    try:
        return Opened(cluster, cluster.connect(settings.CASSANDRA_KEYSPACE))
    except Exception:
        _process.refuse_until = time.monotonic() + RECONNECT_PAUSE_SECONDS
        cluster.shutdown()
        raise


breaker = Breaker(
    "cassandra",
    probe=lambda: _read_version(_opened()),
    silent=is_silence,
    failures=FAILURES,
    late=is_late,
    late_failures=LATE_FAILURES,
    figure="store",
)
