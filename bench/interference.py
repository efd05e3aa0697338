"""p99 of home reads at a fixed rate, alone and while tweets are fanned out to 100,000 active followers.

The readers are among those followers, so what is fanned out appears in what they read. Tweets come one
after the other, the next one when all have the last one: the workers are never idle. The web servers, the
workers, Valkey, Cassandra and the load generator share the machine's cores, which production's do not; so
the workers run at a lower priority. What they share in production is the timelines' Redis.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

from accounts.entities import Viewer
from accounts.models import User
from bench import cpu, crowds, seeding
from bench.open_loop import Offered, Request, offer
from bench.results import Figure, Result, Row, at_most
from bench.stack import Stack
from fanout.delivery import pushing
from storage import stores
from tweets.writing.posting import create_tweet

FOLLOWERS = 100_000
READERS, AUTHORS, EACH = 300, 20, 50
RATE, SECONDS, RUNS = 200.0, 12.0, 3
POLL_SECONDS = 0.02


def measure(stack: Stack) -> Result:
    star, *authors = seeding.people(AUTHORS + 1, signed_in=0, prefix="author")
    readers = seeding.people(READERS)
    crowd = [*crowds.followers(FOLLOWERS - READERS), *(reader.id for reader in readers)]
    seeding.follow((reader.id, author.id) for reader in readers for author in authors)
    seeding.follow((reader, star.id) for reader in crowd)
    ids = seeding.tweets([author.id for author in authors], EACH)[::-1]
    crowds.make_active(crowd, ids)
    tokens = [reader.token for reader in readers]
    poster = Viewer(id=star.id, account=User.objects.get(pk=star.id).account, token_digest="")
    _read(stack, tokens, seconds=5)
    alone, beside, rates, spent = [], [], [], []
    for _ in range(RUNS):
        alone.append(_read(stack, tokens))
        with fanning_out(poster) as delivered:
            before = cpu.seconds(stack.pids())
            beside.append(_read(stack, tokens))
            spent.append(cpu.between(before, cpu.seconds(stack.pids())))
        rates.append(delivered())
    row = Row(
        f"p99 at {RATE:.0f} reads/s",
        Figure("during fan-out", "ms", [each.ms(99) for each in beside]),
        Figure("alone", "ms", [each.ms(99) for each in alone]),
        at_most(3),
        [
            Figure("p50 during", "ms", [each.ms(50) for each in beside]),
            Figure("p50 alone", "ms", [each.ms(50) for each in alone]),
            Figure("generator's own lag, p99", "ms", [each.late_ms(99) for each in beside]),
            Figure("errors", "", [each.errors() for each in [*alone, *beside]]),
            Figure("fanned out meanwhile", "deliveries/s", rates),
            *(Figure(f"cores of {name}", "", [each[name] / SECONDS for each in spent]) for name in spent[0]),
        ],
    )
    return Result("interference", stack.env["STORE"], [row], _settings(stack))


def _read(stack: Stack, tokens: list[str], seconds: float = SECONDS) -> Offered:
    turns = iter(range(1_000_000))

    def make() -> Request:
        return Request("home", "GET", "/api/v1/feed/home", tokens[next(turns) % len(tokens)])

    return offer(stack.url, make, rate=RATE, seconds=seconds)


@contextmanager
def fanning_out(author: Viewer) -> Iterator[Callable[[], float]]:
    """Inside, the author's tweets are fanned out one after the other; afterwards it tells deliveries a second."""
    ended = threading.Event()
    done = 0

    def tweet() -> None:
        nonlocal done
        while not ended.is_set():
            tweet_id = create_tweet(author=author, text="Fan-out is fast where it counts.").id
            while stores.outbox().open_order(tweet_id) is not None and not ended.is_set():
                time.sleep(POLL_SECONDS)
            done += not ended.is_set()

    thread = threading.Thread(target=tweet, name="fanning-out")
    began = time.monotonic()
    thread.start()
    taken = 0.0
    try:
        yield lambda: done * FOLLOWERS / taken
    finally:
        ended.set()
        taken = time.monotonic() - began
        thread.join()


def _settings(stack: Stack) -> dict[str, str]:
    return {
        "readers": f"{READERS} of the {FOLLOWERS:,} followers, timelines of {settings.TIMELINE_CAP} entries",
        "load": f"open loop, {RATE:.0f}/s for {SECONDS:.0f} s, {RUNS} runs alone and during",
        "processes": f"web {stack.size.web}, workers {stack.size.workers} at nice {stack.size.workers_nice}",
        "timelines a round trip": str(pushing.PUSHED_AT_ONCE),
    }
