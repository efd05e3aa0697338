"""Processor time of each operation, by process: what the capacity model counts machines with.

Rates say what one machine does, processor time says what an operation costs on any of that kind,
and hardly depends on who else uses the machine. So each operation is carried out for some seconds at
a moderate rate, and what the kernel counted for web, workers, the Redis servers and Cassandra
meanwhile, less what they take when nothing happens, is shared out among the operations. Fan-out
that an operation sets off is waited for, and counted.

    a home read         20 tweets, warm
    merged              what a home read costs more for a reader who follows MERGED authors too big to push
    a user's timeline   20 tweets, warm
    a post              of an author with one follower: what an order costs, whoever it goes to
    a delivery          to an active follower, of an author with CROWD of them
    a look-up           of an inactive one
    a cold read         home of a reader whose timeline is gone: FOLLOWEES people
    a shard more        what a push costs more for each shard that its readers are spread over: a script call,
                        presence, and its part of the snapshot
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
from django.test.utils import override_settings

from bench import seeding
from bench.open_loop import Request, offer
from bench.processes import children, cpu_seconds
from bench.results import Figure, Result, Row
from bench.seeding import Person
from bench.stack import Stack
from bench.wrk import wrk
from deploy.supervisor.processes import wait_until
from fanout.delivery import celebrities
from fanout.live import presence
from fanout.timelines import materialised, snapshots
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard, forget_keys
from storage.stores import ids, outbox

FOLLOWEES, EACH = 200, 5
FEW = 10
"""Followees of those whose warm pages are read: there are enough of both for a full page."""
READERS, MERGING, RETURNING = 200, 100, 80
"""So many that the rate limit is not reached, so few that each comes again before their token leaves the cache."""
POSTERS = 4
"""So many that nobody reaches the rate limit."""
MERGED = 30
CROWD = 5_000
PAGE = 20
SHARDS, PUSHED_TO, PUSHES = 64, 512, 300
"""Inactive readers: what is pushed does not matter here. So many that all shards have some."""
RUNS = 3
READ_SECONDS = 3.0
CONNECTIONS = 4
POSTS_A_SECOND, POST_SECONDS = 40, 4.0
CROWD_POSTS_A_SECOND, CROWD_SECONDS = 4, 4.0
COLD_A_SECOND, WARM_A_SECOND = 20, 40
IDLE_SECONDS = 4.0
SETTLE_SECONDS = 30.0
GROUPS = ("web", "worker", "timeline", "broker", "cassandra")
"""As the stack names its processes; `timeline` is the Redis of timelines and caches."""

Spent = Mapping[str, float]
"""Processor seconds by group."""


class Meter:
    """What the processes of a stack have taken; they must stay the same ones."""

    def __init__(self, stack: Stack) -> None:
        self._pids: dict[str, list[int]] = {group: [] for group in GROUPS}
        for name, pid in stack.pids().items():
            group = name.split(".")[0]
            if group in self._pids:
                self._pids[group] += [pid, *(children(pid) if group == "web" else [])]
        before = self._read()
        time.sleep(IDLE_SECONDS)
        self._idle = {group: (now - before[group]) / IDLE_SECONDS for group, now in self._read().items()}

    def spent(self, act: Callable[[], float]) -> Spent:
        """Seconds for each of as many operations as `act` answers, with what they set off."""
        began, before = time.perf_counter(), self._read()
        count = act()
        if not wait_until(lambda: not outbox().count_open(limit=1), seconds=SETTLE_SECONDS):
            raise RuntimeError("orders stay open")
        after, lasted = self._read(), time.perf_counter() - began
        return {group: (after[group] - before[group] - self._idle[group] * lasted) / count for group in GROUPS}

    def _read(self) -> Spent:
        return {group: sum(map(cpu_seconds, pids)) for group, pids in self._pids.items()}


class Cast(msgspec.Struct, frozen=True):
    """Who acts."""

    readers: list[Person]
    merging: list[Person]
    """Follow `large` as well."""
    returning: list[Person]
    """Follow all authors."""
    lonely: list[Person]
    """Have a follower each."""
    famous: Person
    """Has CROWD active followers."""
    forgotten: Person
    """Has CROWD inactive ones."""
    large: list[Person]


def measure(stack: Stack) -> Result:
    cast = _cast()
    meter = Meter(stack)
    url = f"{stack.url}/api/v1"
    tokens = [reader.token for reader in cast.readers]
    home, page = f"{url}/feed/home", f"{url}/users/author1/tweets"
    _warm(stack, cast.readers)
    for warmed in (home, page):
        wrk(warmed, connections=CONNECTIONS, seconds=READ_SECONDS, tokens=tokens)
    read = [meter.spent(lambda: _read(home, cast.readers)) for _ in range(RUNS)]
    user = [meter.spent(lambda: _read(page, cast.readers)) for _ in range(RUNS)]
    posted = [meter.spent(lambda: _post(stack, cast.lonely, POSTS_A_SECOND, POST_SECONDS)) for _ in range(RUNS)]
    active = [
        meter.spent(lambda: _post(stack, [cast.famous], CROWD_POSTS_A_SECOND, CROWD_SECONDS)) for _ in range(RUNS)
    ]
    inactive = [
        meter.spent(lambda: _post(stack, [cast.forgotten], CROWD_POSTS_A_SECOND, CROWD_SECONDS)) for _ in range(RUNS)
    ]
    cold = [meter.spent(lambda: _read_cold(stack, cast.returning)) for _ in range(RUNS)]
    for author in cast.large:
        celebrities.begin_pulling(author.id)
    _warm(stack, cast.merging)
    _read(home, cast.merging)
    merged = [meter.spent(lambda: _read(home, cast.merging)) for _ in range(RUNS)]
    rows = [
        _row("a home read", read),
        _row(f"merged with {MERGED} authors", _less(merged, read)),
        _row("a user's timeline", user),
        _row("a post", posted),
        _row("a delivery", _each(_less(active, posted)), unit="µs"),
        _row("a look-up", _each(_less(inactive, posted)), unit="µs"),
        _row(f"a cold read of {FOLLOWEES} followees", cold),
        _row("a shard more", [_of_a_shard(meter) for _ in range(RUNS)], unit="µs"),
    ]
    settings = {"followees": str(FOLLOWEES), "crowd": f"{CROWD:,}", "runs": str(RUNS)}
    return Result("costs", stack.env["STORE"], rows, settings)


def _cast() -> Cast:
    authors = [person.id for person in seeding.people(FOLLOWEES, signed_in=0, prefix="author")]
    readers = seeding.people(READERS, prefix="reader")
    merging = seeding.people(MERGING, prefix="merging")
    returning = seeding.people(RETURNING, prefix="returning")
    large = seeding.people(MERGED, signed_in=0, prefix="large")
    lonely = seeding.people(POSTERS, prefix="poster")
    famous, forgotten = seeding.people(2, prefix="famous")
    crowd = [person.id for person in seeding.people(CROWD, signed_in=0, prefix="crowd")]
    away = [person.id for person in seeding.people(CROWD, signed_in=0, prefix="away")]
    seeding.follow((reader.id, author) for reader in (*readers, *merging) for author in authors[:FEW])
    seeding.follow((reader.id, author) for reader in returning for author in authors)
    seeding.follow((reader.id, author.id) for reader in merging for author in large)
    seeding.follow((readers[0].id, author.id) for author in lonely)
    seeding.follow((each, famous.id) for each in crowd)
    seeding.follow((each, forgotten.id) for each in away)
    seeding.tweets(authors[:FEW], PAGE)
    entries = seeding.tweets([*authors, *(author.id for author in large)], EACH)
    seeding.make_active(crowd, entries[::-1])
    return Cast(readers, merging, returning, lonely, famous, forgotten, large)


def _read(url: str, readers: Sequence[Person]) -> float:
    load = wrk(url, connections=CONNECTIONS, seconds=READ_SECONDS, tokens=[reader.token for reader in readers])
    _refuse_errors(load.errors)
    return load.per_second * READ_SECONDS


def _warm(stack: Stack, readers: Sequence[Person]) -> None:
    """The first read of each, which makes timelines, marks and exclusions."""
    turns = itertools.cycle(readers)
    for _ in range(2):
        _home_in_turn(stack, turns, len(readers) / WARM_A_SECOND, WARM_A_SECOND)


def _home_in_turn(stack: Stack, turns: Iterator[Person], seconds: float, rate: float) -> float:
    return _offered(stack, lambda: Request("home", "GET", "/api/v1/feed/home", next(turns).token), rate, seconds)


def _post(stack: Stack, authors: Sequence[Person], rate: float, seconds: float) -> float:
    numbers = itertools.count()
    turns = itertools.cycle(authors)

    def make() -> Request:
        body = msgspec.json.encode({"text": f"What does it cost? {next(numbers)} #costs https://example.org/"})
        return Request("post", "POST", "/api/v1/tweets", next(turns).token, body, 201)

    return _offered(stack, make, rate, seconds)


def _read_cold(stack: Stack, readers: Sequence[Person]) -> float:
    """Every reader once, after their timelines are gone."""
    timeline_node().round_trip(*(materialised.discard_command(reader.id) for reader in readers))
    return _home_in_turn(stack, itertools.cycle(readers), 0.8 * len(readers) / COLD_A_SECOND, COLD_A_SECOND)


def _of_a_shard(meter: Meter) -> Spent:
    """In thousandths. The pushes are this process's own, so what it takes counts as a worker's.

    Another number of shards empties the server, so nothing else can be measured after this.
    """
    few, many = (_pushes_over(meter, shards) for shards in (1, SHARDS))
    return {group: 1_000 * (many[group] - few[group]) / (SHARDS - 1) for group in GROUPS}


@contextmanager
def _shards(count: int) -> Iterator[None]:
    """Keys are made for so many shards inside."""
    with override_settings(TIMELINE_SHARDS=count):
        forget_keys()
        yield
    forget_keys()


def _pushes_over(meter: Meter, shards: int) -> Spent:
    with _shards(shards):
        readers = by_shard(ids.next() for _ in range(PUSHED_TO))
        began = time.process_time()

        def push() -> float:
            for _ in range(PUSHES):
                snapshot = snapshots.take_snapshot()
                pushed = materialised.deliver_commands(ids.next(), readers, snapshot)
                timeline_node().round_trip(*pushed, *presence.look(readers).commands)
            return PUSHES

        spent = meter.spent(push)
        return {**spent, "worker": (time.process_time() - began) / PUSHES}


def _offered(stack: Stack, make: Callable[[], Request], rate: float, seconds: float) -> float:
    offered = offer(stack.url, make, rate=rate, seconds=seconds)
    _refuse_errors(offered.errors())
    return len(offered.answers)


def _refuse_errors(count: int) -> None:
    if count:
        raise RuntimeError(f"{count} requests failed: what they cost says nothing")


def _less(these: Sequence[Spent], those: Sequence[Spent]) -> list[Spent]:
    """What these cost more than those."""
    pairs = zip(these, those, strict=True)
    return [{group: this[group] - that[group] for group in GROUPS} for this, that in pairs]


def _each(spent: Sequence[Spent]) -> list[Spent]:
    """For one of a crowd, in thousandths: a row of µs."""
    return [{group: 1_000 * seconds / CROWD for group, seconds in each.items()} for each in spent]


def _row(case: str, spent: Sequence[Spent], *, unit: str = "ms") -> Row:
    beside = [Figure(group, unit, [1_000 * each[group] for each in spent]) for group in GROUPS]
    return Row(case, Figure("in all", unit, [1_000 * sum(each.values()) for each in spent]), beside=beside)
