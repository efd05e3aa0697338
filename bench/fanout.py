"""Deliveries a second through Celery: from sending orders that stand in the outbox until all of them are done.

Measured is the whole of fan-out: orders written with their tweets, sent by `fanout.orders.dispatch`, worked off
by two real workers that read the followers from Cassandra, push into timelines of 800 entries, ask who is
connected, and mark orders and parts done. Left out: the posts themselves. On a machine of two cores the
workers, Valkey, Cassandra and the bench share them; what each spends on a delivery is told beside.

`PEER=` names a peer's bench script, whose figures are put beside (bench/peer.py).
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings

from bench import cpu, crowds, peer, seeding
from bench.pushing import Bare, Sorted
from bench.results import Figure, Reach, Result, Row, at_least, at_most
from bench.stack import Stack
from fanout.orders.dispatch import enqueue
from fanout.timelines import materialised
from storage import stores
from storage.ports.outbox import Order
from tweets.entities import Tweet
from tweets.stores.port import tweet_store
from tweets.writing.after_write import deliver_order

RUNS = 3
SIZES = {1_000: 240, 10_000: 40, 100_000: 6}
"""Followers, and tweets a run: seconds of work each."""
CROWDS = {1_000: 2, 10_000: 2, 100_000: 1}
"""Authors who tweet in turn, each with other followers: two workers seldom meet in one timeline, as in a product.
Of 100,000 there is one author, whose parts both workers share."""
COMPARED = 10_000
ACTIVE_SHARE = 0.3
SORTED_TWEETS = 8
"""To 10,000 followers; two seconds of work for what is slower."""
POLL_SECONDS = 0.04
GIVE_UP_SECONDS = 60.0
SAMPLE = 200


@dataclass
class Runs:
    """What the runs of one size found."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    zset: list[float] = field(default_factory=list)
    partly: list[float] = field(default_factory=list)
    """Seconds for authors of whose followers only a share is active."""
    wholly: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Microseconds a delivery."""


class Author(NamedTuple):
    id: int
    active: Sequence[int]
    """Their followers who have a timeline."""


def measure(stack: Stack) -> Result:
    readers = crowds.followers(max(SIZES))
    ids = crowds.entries(settings.TIMELINE_CAP + materialised.TRIM_SLACK)
    authors = {size: [_followed(_crowd(readers, size, number)) for number in range(CROWDS[size])] for size in SIZES}
    crowds.make_active(readers, ids)
    bare, sorted_sets = Bare(readers, ids), Sorted(readers[:COMPARED], ids)

    def run(size: int, runs: Runs) -> None:
        tweets = SIZES[size]
        of_author = [author.active for author in authors[size]]
        _run_ours(stack, runs, authors[size], tweets)
        runs.bare.append(bare.push(of_author, tweets))
        if size <= COMPARED:
            runs.zset.append(sorted_sets.push(readers[:size], SORTED_TWEETS * COMPARED // size))
        if size == COMPARED:
            here = int(size * ACTIVE_SHARE)
            partly = [Author(author.id, author.active[:here]) for author in authors[size]]
            with crowds.away([reader for author in authors[size] for reader in author.active[here:]]):
                runs.partly.append(_deliver(partly, tweets))

    cpu.settle("cassandra", stack.pids()["cassandra"])
    for size in CROWDS:
        # Java compiles what is hot in the first seconds.
        run(size, Runs())
    found = {size: Runs() for size in SIZES}
    for _ in range(RUNS):
        for size, runs in found.items():
            run(size, runs)
    rows = [row for size, runs in found.items() for row in _rows(size, runs)]
    return Result("fanout", stack.env["STORE"], [*rows, *peer.rows(found[COMPARED].ours)], _settings(stack))


def _crowd(readers: Sequence[int], size: int, number: int) -> Sequence[int]:
    return readers[number * size : (number + 1) * size]


def _followed(readers: Sequence[int]) -> Author:
    [author] = crowds.followers(1)
    seeding.follow((reader, author) for reader in readers)
    return Author(author, readers)


def _run_ours(stack: Stack, runs: Runs, authors: Sequence[Author], tweets: int) -> None:
    before = cpu.seconds(stack.pids())
    taken = _deliver(authors, tweets)
    deliveries = tweets * len(authors[0].active)
    for name, spent in cpu.between(before, cpu.seconds(stack.pids())).items():
        runs.cpu.setdefault(name, []).append(spent / deliveries * 1e6)
    runs.ours.append(deliveries / taken)
    runs.wholly.append(taken)


def _deliver(authors: Sequence[Author], tweets: int) -> float:
    """Seconds from sending the orders of new tweets, the authors' in turn, until all are done.

    Raises when a follower has not got them all.
    """
    orders = [_written(authors[number % len(authors)].id) for number in range(tweets)]
    began = time.perf_counter()
    for order in orders:
        enqueue(order)
    for order in orders:
        while stores.outbox().open_order(order.id) is not None:
            if time.perf_counter() - began > GIVE_UP_SECONDS:
                raise RuntimeError(f"order {order.id} is not done after {GIVE_UP_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
    taken = time.perf_counter() - began
    for number, author in enumerate(authors):
        sample = author.active[:: max(1, len(author.active) // SAMPLE)]
        ids = [order.id for order in orders[number :: len(authors)]]
        if (right := crowds.holding(sample, ids)) != len(sample):
            raise RuntimeError(f"only {right} of {len(sample)} followers have these {len(ids)} tweets in order")
    return taken


def _written(author: int) -> Order:
    tweet_id = stores.ids.next()
    order = deliver_order(tweet_id, author)
    tweet_store().add(Tweet(tweet_id, author, "Fan-out", conversation_id=tweet_id, in_home=True), order)
    return order


def _rows(size: int, runs: Runs) -> list[Row]:
    rate = "deliveries/s"
    ours = Figure("ours", rate, runs.ours)
    beside = [Figure(f"CPU of {name}", "µs", spent) for name, spent in runs.cpu.items()]
    compared = size == COMPARED
    case = f"{size:,} active followers"
    rows = [
        Row(f"{case}, to the bare script", ours, Figure("bare", rate, runs.bare), _if(compared, at_least(0.6)), beside)
    ]
    if runs.zset:
        zset = Figure("sorted sets", rate, runs.zset)
        rows.append(Row(f"{case}, to sorted sets", ours, zset, _if(compared, at_least(5))))
    if runs.partly:
        share = Figure(f"{ACTIVE_SHARE:.0%} active", "s", runs.partly)
        rows.append(Row(f"{size:,} followers, time", share, Figure("all active", "s", runs.wholly), at_most(0.75)))
    return rows


def _if(condition: bool, reach: Reach) -> Reach | None:
    return reach if condition else None


def _settings(stack: Stack) -> dict[str, str]:
    return {
        "workers": f"{stack.size.workers}, solo",
        "timelines": f"{max(SIZES):,} of {settings.TIMELINE_CAP} entries and up to {materialised.TRIM_SLACK} more",
        "shards": str(settings.TIMELINE_SHARDS),
        "authors": ", ".join(f"{number} of {size:,} followers" for size, number in CROWDS.items()),
        "tweets a run": ", ".join(f"{tweets} to {size:,}" for size, tweets in SIZES.items()),
        "runs": str(RUNS),
        "peer": os.environ.get("PEER", "none"),
    }
