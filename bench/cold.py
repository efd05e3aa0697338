"""The first home read of somebody who was away, as a client sees it.

**Ours** is a GET /api/v1/feed/home over HTTP by a reader of whom nothing is in Redis: no token, no
account, no timeline, no marks, no exclusions. So it has the token looked up in SQL, the timeline
opened, the followees and the exclusions read, everybody's newest entries pulled and merged, and a
page of 20 tweets hydrated. What belongs to others is as others leave it: they read the same
authors, so bodies and counts of the newest tweets may be cached.

**The reference** is the rows that this read needs of the store, and nothing else (`cold_rows.py`):
read by the bare driver, all at once, by somebody who knows beforehand whom the reader follows,
in which months they wrote, and how far back the timeline will go. Nothing waits for anything,
and nothing is merged, checked, written or shown.

Each reader is read by turns: ours, then the reference. A run is the median over the readers.
"""

import http.client
import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from statistics import median

from accounts.account_cache.known_tokens import TOKENS
from accounts.graph import following
from accounts.sessions import tokens
from bench import cold_rows, seeding
from bench.results import Figure, Result, Row, at_most, percentile
from bench.seeding import Person
from bench.stack import Stack
from storage.redis.node import timeline_node
from tweets.stores.port import tweet_store

AUTHORS, EACH = 2_500, 6
CASES = {200: 16, 2_000: 5}
"""Followees, and readers who have so many."""
WARM_UPS, RUNS = 1, 3
CAP = 800


def measure(stack: Stack) -> Result:
    authors = [person.id for person in seeding.people(AUTHORS, signed_in=0, prefix="author")]
    readers = {followees: _readers(followees, count, authors) for followees, count in CASES.items()}
    seeding.tweets(authors, EACH)
    with closing(cold_rows.of(stack)) as rows:
        found = [_case(stack, followees, people, rows) for followees, people in readers.items()]
    settings = {
        "authors": f"{AUTHORS:,} with {EACH} tweets each, all this month",
        "readers": ", ".join(f"{count} with {followees:,} followees" for followees, count in CASES.items()),
        "runs": f"{RUNS} over all readers, one request at a time, 1 web process",
    }
    return Result("cold", stack.env["STORE"], found, settings)


def _readers(followees: int, count: int, authors: Sequence[int]) -> list[Person]:
    dice = random.Random(followees)  # noqa: S311 - no secret
    people = seeding.people(count, prefix=f"away{followees}x")
    seeding.follow((person.id, author) for person in people for author in dice.sample(authors, followees))
    return people


def _case(stack: Stack, followees: int, people: Sequence[Person], rows: cold_rows.Rows) -> Row:
    pairs = [(person, _prepared(person, rows)) for person in people]
    ours: list[list[float]] = [[] for _ in range(WARM_UPS + RUNS)]
    bare: list[list[float]] = [[] for _ in range(WARM_UPS + RUNS)]
    with closing(http.client.HTTPConnection(stack.url.partition("//")[2], timeout=30)) as client:
        for first_reads, reads in zip(ours, bare, strict=True):
            for person, read in pairs:
                _forget(person)
                first_reads.append(_ms(partial(_get, client, person)))
                reads.append(_ms(read))
    del ours[:WARM_UPS], bare[:WARM_UPS]
    return Row(
        f"{followees:,} followees",
        Figure("first read", "ms", [median(run) for run in ours]),
        Figure("the same rows, bare", "ms", [median(run) for run in bare]),
        at_most(2),
        [Figure("p99", "ms", [percentile(run, 99) for run in ours])],
    )


def _prepared(person: Person, rows: cold_rows.Rows) -> cold_rows.Read:
    """The reference of one reader; it must read what the timeline consists of."""
    followees = following.followee_ids(person.id)
    entries = tweet_store().home_entries([*followees, person.id], limit=CAP)
    read = rows.read(person.id, followees, floor=entries[-1], newest=entries[0])
    if sorted(read()) != sorted(entries):
        raise RuntimeError(f"the reference does not read the timeline of {person.id}")
    return read


def _forget(person: Person) -> None:
    """Takes everything of the reader's out of Redis."""
    [keys] = timeline_node().round_trip(("KEYS", f"*:{person.id}"))
    timeline_node().round_trip(("DEL", TOKENS.key(tokens.read_claim(person.token)), *keys))


def _get(client: http.client.HTTPConnection, person: Person) -> None:
    client.request("GET", "/api/v1/feed/home", headers={"Authorization": f"Bearer {person.token}"})
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {body[:500]!r}")


def _ms(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1_000
