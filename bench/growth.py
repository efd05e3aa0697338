"""Home reads and posts as there is more and more: tweets of an author, followees of a reader, users.

Each case is a large one beside a small one, asked in turn, one request after the other: whatever
else the machine does happens to both. A run's figure is the median latency of its requests.

Of the author with many tweets all are in the listings, and those that a timeline may hold have
bodies, too. The few users are those of a second web server, whose database was copied before the
crowd signed up, and whose timelines are its own; tweets and follows are the same.
"""

import http.client
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from bench import seeding
from bench.results import Figure, Result, Row, at_most
from bench.seeding import Person
from bench.stack import Stack, web_command
from deploy.errors import CannotStart
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import stop, wait_until
from storage import stores
from storage.cassandra import session
from tweets.stores import cassandra as tables

T = TypeVar("T")
USERS, TWEETS, FOLLOWEES = (1_000, 100_000), (100, 100_000), (10, 5_000)
READERS = 4
"""Of each side, for 300 requests a minute are everybody's."""
BODIES = 1_000
TWEETS_A_BATCH = 100
RUNS, READS, POSTS, WARM = 5, 100, 40, 20
REACH = at_most(1.25)


class Client:
    """Requests of some people in turn, over one connection; counts the answers that are no success."""

    def __init__(self, url: str, people: Sequence[Person]) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        self._people = people
        self._turn = count()
        self.errors = 0

    def read(self) -> float:
        """Its milliseconds, as `post`'s."""
        return self._ask("GET", "/api/v1/feed/home")

    def post(self) -> float:
        return self._ask("POST", "/api/v1/tweets", msgspec.json.encode({"text": "One more of many"}))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> float:
        person = self._people[next(self._turn) % len(self._people)]
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        self.errors += answer.status >= 300
        return (time.perf_counter() - began) * 1000


class Side(msgspec.Struct, frozen=True):
    """The small or the large one of a case."""

    reader: Client
    poster: Client


def measure(stack: Stack) -> Result:
    few_url = f"http://{LOOPBACK}:{free_port()}"
    began = time.monotonic()
    people = iter(seeding.people(USERS[0]))
    writers = _take(people, FOLLOWEES[0])
    seeding.tweets([writer.id for writer in writers], 10)
    readers = _take(people, READERS)
    _follow(readers, writers)
    cases = [
        (f"{TWEETS[1]:,} tweets of the author, not {TWEETS[0]:,}", _by_tweets(stack.url, people)),
        (f"{FOLLOWEES[1]:,} followees, not {FOLLOWEES[0]:,}", _by_followees(stack.url, people, writers)),
    ]
    _copy_database(stack.directory / "accounts.sqlite3", stack.directory / "few.sqlite3")
    few_env = {
        "DATABASE_URL": f"sqlite://{stack.directory}/few.sqlite3",
        "TIMELINE_REDIS_URL": stack.env["TIMELINE_REDIS_URL"].removesuffix("/0") + "/1",
    }
    few_web = stack.start(web_command(few_url, "config.wsgi:application", stack.size.web, name="few"), few_env)
    try:
        seeding.people(USERS[1] - USERS[0], signed_in=0, prefix="crowd")
        if not wait_until(lambda: answers_200(f"{few_url}/readyz"), seconds=60):
            raise CannotStart("The second web server does not serve.")
        sides = tuple(Side(Client(url, readers), Client(url, writers)) for url in (few_url, stack.url))
        cases.append((f"{USERS[1]:,} users, not {USERS[0]:,}", sides))
        seeded = time.monotonic() - began
        rows = [row for case, (small, large) in cases for row in _rows(case, small, large)]
    finally:
        stop([few_web], grace_seconds=5)
    settings = {
        "web": f"{stack.size.web} processes",
        "requests": f"{RUNS} runs of {READS} reads and {POSTS} posts of each side, in turn and one at a time",
        "seeded in": f"{seeded:.0f} s",
    }
    return Result("growth", stack.env["STORE"], rows, settings)


def _by_tweets(url: str, people: "Iterable[Person]") -> tuple[Side, ...]:
    sides = []
    for tweets in TWEETS:
        [author], readers = _take(people, 1), _take(people, READERS)
        _follow(readers, [author])
        _list_tweets(author.id, max(0, tweets - BODIES))
        seeding.tweets([author.id], min(tweets, BODIES))
        sides.append(Side(Client(url, readers), Client(url, [author])))
    return tuple(sides)


def _by_followees(url: str, people: "Iterable[Person]", writers: Sequence[Person]) -> tuple[Side, ...]:
    """Who follows many follows the same writers, and others who never posted."""
    sides = []
    others = seeding.people(FOLLOWEES[1] - len(writers), signed_in=0, prefix="quiet")
    for followees in (writers, [*writers, *others]):
        readers = _take(people, READERS)
        _follow(readers, followees)
        sides.append(Side(Client(url, readers), Client(url, readers)))
    return tuple(sides)


def _follow(readers: Sequence[Person], authors: Sequence[Person]) -> None:
    seeding.follow((reader.id, author.id) for reader in readers for author in authors)


def _list_tweets(author: int, tweets: int) -> None:
    """The listings' rows of so many tweets, by the store's own statements, many a batch: all are of one partition."""
    ids = iter([stores.ids.next() for _ in range(tweets)])

    def write(some: Sequence[int]) -> None:
        logs = (tables._by_author, tables._home_entries)
        session.write_all([log.insert((author,), tweet)[0] for tweet in some for log in logs])

    with ThreadPoolExecutor(seeding.THREADS) as pool:
        list(pool.map(write, iter(lambda: _take(ids, TWEETS_A_BATCH), [])))
    if tweets:
        session.execute_all(tables._by_author.insert((author,), stores.ids.next())[1:])


def _copy_database(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as from_, closing(sqlite3.connect(copy)) as to:
        from_.backup(to)


def _take(items: "Iterable[T]", number: int) -> list[T]:
    return list(islice(items, number))


def _rows(case: str, small: Side, large: Side) -> list[Row]:
    reads = _row(f"home read, {case}", small.reader, large.reader, Client.read, READS)
    posts = _row(f"post, {case}", small.poster, large.poster, Client.post, POSTS)
    return [reads, posts]


def _row(case: str, small: Client, large: Client, ask: Callable[[Client], float], requests: int) -> Row:
    _medians(small, large, ask, WARM)
    runs = [_medians(small, large, ask, requests) for _ in range(RUNS)]
    return Row(
        case,
        Figure("large", "ms", [of_large for _, of_large in runs]),
        Figure("small", "ms", [of_small for of_small, _ in runs]),
        REACH,
        [Figure("errors", "", [float(small.errors + large.errors)])],
    )


def _medians(small: Client, large: Client, ask: Callable[[Client], float], requests: int) -> tuple[float, float]:
    pairs = [(ask(small), ask(large)) for _ in range(requests)]
    of_small, of_large = zip(*pairs, strict=True)
    return statistics.median(of_small), statistics.median(of_large)
