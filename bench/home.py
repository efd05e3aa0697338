"""GET /feed/home, warm: 20 tweets, signed in, everything on; beside a bare view that joins stored bytes (bare.py).

When a run begins, every reader's timeline, marks and exclusions and every tweet's body are in
Redis. Tokens and accounts are renewed from SQL once an hour, counts after ten minutes. "Renewed" is the part of the
requests for which the first is due, by the rate measured.

Readers share their tweets, as followers of the same people do: so a process has made most views
before (tweets/reading/hydration.py).
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
from redis import Redis

from bench import bare, seeding
from bench.results import Figure, Result, Row, at_least
from bench.seeding import Person
from bench.stack import Stack, web_command
from bench.wrk import Load, wrk
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import stop, wait_until
from storage.redis.lasting_cache import RENEWED_SECONDS

READERS, AUTHORS, FOLLOWED, EACH = 1_000, 40, 20, 10
PAGE = 20
CONNECTIONS = (1, 32, 128)
RUNS = 3
SECONDS = 5.0
WARM_SECONDS = 2.0
REACH = at_least(0.70)
PATH = "/api/v1/feed/home"


def measure(stack: Stack) -> Result:
    readers = seed()
    bare_url = f"http://{LOOPBACK}:{free_port()}"
    reference_web = stack.start(web_command(bare_url, "bench.bare:application", stack.size.web, name="bare"))
    try:
        pages = read_once(stack.url + PATH, readers)
        _seed_reference(Redis.from_url(stack.env["TIMELINE_REDIS_URL"]), readers, pages)
        wait_until(lambda: answers_200(f"{bare_url}/healthz"), seconds=30)
        [stored] = read_once(bare_url + PATH, readers[:1])
        rows = [_row(stack.url + PATH, bare_url + PATH, readers, connections) for connections in CONNECTIONS]
    finally:
        stop([reference_web], grace_seconds=5)
    settings = {
        "readers": f"{READERS:,} in turn, each of {FOLLOWED} of {AUTHORS} authors with {EACH} plain tweets each",
        "bytes a page": f"{len(pages[0]):,}, reference {len(stored):,}",
        "web": f"{stack.size.web} processes of 4 threads, rate limits on",
        "runs": f"{RUNS} of {SECONDS:.0f} s, ours and the reference in turn, after {WARM_SECONDS:.0f} s unmeasured",
    }
    return Result("home", stack.env["STORE"], rows, settings)


def seed() -> list[Person]:
    """READERS new people with timelines of the authors whom they follow."""
    draw = random.Random(1)  # noqa: S311 - a graph, no secret
    authors = [author.id for author in seeding.people(AUTHORS, signed_in=0, prefix="author")]
    readers = seeding.people(READERS)
    follows = {reader.id: set(draw.sample(authors, FOLLOWED)) for reader in readers}
    seeding.follow((reader, author) for reader, followed in follows.items() for author in followed)
    ids = seeding.tweets(authors, EACH)
    by_author = [(tweet, authors[place % AUTHORS]) for place, tweet in enumerate(ids)]
    for reader, followed in follows.items():
        seeding.make_active([reader], [tweet for tweet, author in reversed(by_author) if author in followed])
    return readers


def read_once(url: str, readers: Sequence[Person]) -> list[bytes]:
    """Each reader's page; what it needs is cached then."""
    with ThreadPoolExecutor(8) as pool, httpx.Client(timeout=60) as client:

        def read(reader: Person) -> bytes:
            return client.get(url, headers={"Authorization": f"Bearer {reader.token}"}).raise_for_status().content

        return list(pool.map(read, readers))


def _seed_reference(server: "Redis", readers: Sequence[Person], pages: Sequence[bytes]) -> None:
    """The same tokens, timelines and tweets, as bare.py wants them."""
    with server.pipeline(transaction=False) as pipeline:
        for reader, page in zip(readers, pages, strict=True):
            tweets = msgspec.json.decode(page)["data"]
            pipeline.set(bare.token_key(reader.token), reader.id)
            pipeline.rpush(bare.timeline_key(reader.id), *(tweet["id"] for tweet in tweets))
            pipeline.mset({bare.tweet_key(tweet["id"]): msgspec.json.encode(tweet) for tweet in tweets})
        pipeline.execute()


def _row(ours: str, reference: str, readers: Sequence[Person], connections: int) -> Row:
    tokens = [reader.token for reader in readers]
    pairs: list[tuple[Load, Load]] = []
    for _ in range(RUNS):
        pairs.append((_load(ours, tokens, connections), _load(reference, tokens, connections)))
    measured, references = zip(*pairs, strict=True)
    return Row(
        f"{connections} connections" if connections > 1 else "1 connection",
        Figure("ours", "requests/s", [load.per_second for load in measured]),
        Figure("bare view", "requests/s", [load.per_second for load in references]),
        REACH,
        [
            Figure("p50", "ms", [load.p50_ms for load in measured]),
            Figure("p99", "ms", [load.p99_ms for load in measured]),
            Figure("reference p99", "ms", [load.p99_ms for load in references]),
            Figure("renewed", "%", [_renewed_percent(load) for load in measured]),
            Figure("errors", "", [float(load.errors) for load in (*measured, *references)]),
        ],
    )


def _load(url: str, tokens: Sequence[str], connections: int) -> Load:
    wrk(url, connections=connections, seconds=WARM_SECONDS, tokens=tokens)
    return wrk(url, connections=connections, seconds=SECONDS, tokens=tokens)


def _renewed_percent(load: Load) -> float:
    """A reader asks every READERS/rate seconds, and the account is renewed by the first request that finds it old."""
    between = READERS / load.per_second
    return 100 * between / (RENEWED_SECONDS + between)
