"""GET /feed/home, warm: 20 tweets, signed in."""

from bench import seeding
from bench.results import Figure, Result, Row
from bench.stack import Stack
from bench.wrk import wrk

READERS, AUTHORS, EACH = 1_000, 40, 10


def measure(stack: Stack) -> Result:
    authors = seeding.people(AUTHORS, signed_in=0, prefix="author")
    readers = seeding.people(READERS)
    seeding.follow((reader.id, author.id) for reader in readers for author in authors)
    seeding.tweets([author.id for author in authors], EACH)
    tokens = [reader.token for reader in readers]
    url = f"{stack.url}/api/v1/feed/home"
    wrk(url, connections=8, seconds=10, tokens=tokens)
    rows = []
    for connections in (1, 32, 128):
        load = wrk(url, connections=connections, seconds=8, tokens=tokens)
        rows.append(
            Row(
                f"{connections} connections",
                Figure("ours", "requests/s", [load.per_second]),
                beside=[Figure("p99", "ms", [load.p99_ms]), Figure("errors", "", [load.errors])],
            )
        )
    return Result("home", stack.env["STORE"], rows)
