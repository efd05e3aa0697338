"""POST /api/v1/tweets over HTTP, signed in, with fan-out running beside it.

**Ours** is wrk on so many connections against two web processes; each request is another
person's, who has a few followers that are active. Rate limits are on. Orders go through the
broker to two workers, which push them on the same cores while posting goes on: so the figure is
what this machine posts *and* fans out, as far as the workers come; what they have left when wrk
ends is in the column beside, and is worked off before anything else is measured.

**The reference** is the rows of a tweet and its order in one atomic write by the bare driver
(`bare_posts.py`), from two processes with as many in flight as there were connections, while
the workers have nothing to do.
"""

import json
import subprocess
import sys

from bench import seeding
from bench.results import Figure, Result, Row, at_least
from bench.stack import Stack
from bench.wrk import Load, wrk
from deploy.errors import CannotStart
from deploy.plan import ROOT
from deploy.processes import wait_until
from storage.stores import outbox

PEOPLE, FOLLOWERS = 1_200, 5
CONNECTIONS = (1, 16, 32)
RUNS, SECONDS = 3, 5.0
DRAIN_SECONDS = 60.0
COUNTED = 100_000
TEXTS = (
    "Fan-out is fast where it counts, and what it counts is proved: @ada said so #timelines https://example.org/7",
    "Good morning. Nothing to report from the engine room, and that is how we like it",
    "@bob the second run was as fast as the first one #timelines",
    "Ein Häppchen Fisch, ein Glas Wein 🐟🍷 und kein Wort über die Arbeit",
)
"""A link, a mention and a tag; plain; a mention and a tag; an accent and emoji."""


def measure(stack: Stack) -> Result:
    people = seeding.people(PEOPLE)
    ids = [person.id for person in people]
    pairs = (
        (ids[(place + step) % PEOPLE], author) for place, author in enumerate(ids) for step in range(1, FOLLOWERS + 1)
    )
    seeding.follow(pairs)
    seeding.make_active(ids, [])
    tokens = [person.token for person in people]
    _post(stack, tokens, 16)
    rows = [_case(stack, tokens, connections) for connections in CONNECTIONS]
    settings = {
        "people": f"{PEOPLE:,} who post in turn, {FOLLOWERS} active followers each",
        "processes": "2 web, 2 workers",
        "runs": f"{RUNS} of {SECONDS:.0f} s each",
    }
    return Result("post", stack.env["STORE"], rows, settings)


def _case(stack: Stack, tokens: list[str], connections: int) -> Row:
    loads: list[Load] = []
    left: list[float] = []
    bare: list[float] = []
    for _ in range(RUNS):
        load, waiting = _post(stack, tokens, connections)
        loads.append(load)
        left.append(waiting)
        bare.append(_bare(stack, connections))
    return Row(
        f"{connections} connection{'s' if connections > 1 else ''}",
        Figure("posts", "/s", [load.per_second for load in loads]),
        Figure("bare writes", "/s", bare),
        at_least(0.35),
        [
            Figure("p50", "ms", [load.p50_ms for load in loads]),
            Figure("p99", "ms", [load.p99_ms for load in loads]),
            Figure("errors", "", [load.errors for load in loads]),
            Figure("orders left", "", left),
        ],
    )


def _post(stack: Stack, tokens: list[str], connections: int) -> tuple[Load, int]:
    """The load, and how many orders were open when it ended; none is when this returns."""
    bodies = [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    url = f"{stack.url}/api/v1/tweets"
    load = wrk(url, connections=connections, seconds=SECONDS, tokens=tokens, bodies=bodies)
    left = outbox().count_open(limit=COUNTED)
    if not wait_until(lambda: outbox().count_open(limit=1) == 0, seconds=DRAIN_SECONDS):
        raise CannotStart("The workers do not come to an end of what was posted.")
    return load, left


def _bare(stack: Stack, connections: int) -> float:
    """Writes a second of one process for one connection, of two for more."""
    shares = [connections] if connections == 1 else [connections // 2, connections - connections // 2]
    argv = [sys.executable, "-m", "bench.bare_posts"]
    env = {**stack.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    writers = [
        subprocess.Popen(
            [*argv, str(number), str(share), str(SECONDS)],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, share in enumerate(shares)
    ]
    try:
        for writer in writers:
            _line(writer)
        for writer in writers:
            print("go", file=writer.stdin, flush=True)
        return sum(float(_line(writer)) for writer in writers)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def _line(writer: "subprocess.Popen[str]") -> str:
    """Raises `CannotStart` when the process has ended instead."""
    line = writer.stdout.readline() if writer.stdout is not None else ""
    if not line:
        raise CannotStart("A process of bench/bare_posts.py failed.")
    return line
