"""POST /api/v1/tweets over HTTP, signed in, with fan-out running beside it.

**Ours** is wrk on so many connections against two web processes; the requests are by turns those of
a few hundred people, each with a few active followers. Rate limits are on, and tokens as warm as
those of people who were reading a moment ago. Orders go through the broker to two workers, which
push them on the same cores while posting goes on, at a lower priority. So the figure is what this
machine posts *and* fans out, as far as the workers come: what they have left when wrk ends is in a
column beside, and is worked off before anything else is measured. In the last row the workers are
held (SIGSTOP) meanwhile: what web processes post that have the cores for themselves.

**The reference** is the rows of a tweet and its order in one atomic write by the bare driver
(`bare_posts.py`), from two processes with as many in flight as there were connections (one for
one), while web and workers have nothing to do.
"""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench import seeding
from bench.bare_posts import Writers
from bench.results import Figure, Result, Row, at_least
from bench.stack import Stack
from bench.wrk import Load, wrk
from deploy.errors import CannotStart
from deploy.supervisor.processes import wait_until
from storage.stores import outbox

PEOPLE, FOLLOWERS = 300, 5
CONNECTIONS = (1, 32)
RUNS, SECONDS, WARM_UP_SECONDS = 3, 4.0, 8.0
DRAIN_SECONDS = 90.0
COUNTED = 100_000
TEXTS = (
    "Fan-out is fast where it counts, and what it counts is proved: @ada said so #timelines https://example.org/7",
    "Good morning. Nothing to report from the engine room, and that is how we like it",
    "@bob the second run was as fast as the first one #timelines",
    "Ein Häppchen Fisch, ein Glas Wein 🐟🍷 und kein Wort über die Arbeit",
)
"""A link, a mention and a tag; plain; a mention and a tag; an accent and emoji."""


def measure(stack: Stack) -> Result:
    tokens = _people()
    with Writers(stack, CONNECTIONS[-1]) as writers:
        writers.write(WARM_UP_SECONDS)
    _post(stack, tokens, CONNECTIONS[-1], WARM_UP_SECONDS)
    _work_off()
    rows = [_row(stack, tokens, connections) for connections in CONNECTIONS]
    rows.append(_row(stack, tokens, CONNECTIONS[-1], workers_held=True))
    settings = {
        "people": f"{PEOPLE:,} who post by turns, {FOLLOWERS} active followers each; 4 texts by turns",
        "processes": f"{stack.size.web} web of 4 threads, {stack.size.workers} workers, rate limits on",
        "runs": f"{RUNS} of {SECONDS:.0f} s, ours and the reference in turn, after {WARM_UP_SECONDS:.0f} s of each",
    }
    return Result("post", stack.env["STORE"], rows, settings)


def _people() -> list[str]:
    """Their tokens. Everybody is followed by the next few, and active."""
    people = seeding.people(PEOPLE)
    ids = [person.id for person in people]
    seeding.follow(
        (ids[(place + step) % PEOPLE], author) for place, author in enumerate(ids) for step in range(1, FOLLOWERS + 1)
    )
    seeding.make_active(ids, [])
    return [person.token for person in people]


def _row(stack: Stack, tokens: Sequence[str], connections: int, *, workers_held: bool = False) -> Row:
    loads: list[Load] = []
    left: list[float] = []
    bare: list[float] = []
    with Writers(stack, connections) as writers:
        for _ in range(RUNS):
            with _held(stack) if workers_held else ExitStack():
                load, waiting = _post(stack, tokens, connections, SECONDS)
            _work_off()
            loads.append(load)
            left.append(waiting)
            bare.append(writers.write(SECONDS))
    return Row(
        f"{connections} connection{'s' if connections > 1 else ''}{', workers held' if workers_held else ''}",
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


def _post(stack: Stack, tokens: Sequence[str], connections: int, seconds: float) -> tuple[Load, int]:
    """The load, and how many orders were open when it ended."""
    bodies = [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    url = f"{stack.url}/api/v1/tweets"
    load = wrk(url, connections=connections, seconds=seconds, tokens=tokens, bodies=bodies)
    return load, outbox().count_open(limit=COUNTED)


def _work_off() -> None:
    """Waits for the workers. Raises `CannotStart` when they do not come to an end."""
    if not wait_until(lambda: outbox().count_open(limit=1) == 0, seconds=DRAIN_SECONDS):
        raise CannotStart("The workers do not come to an end of what was posted.")


@contextmanager
def _held(stack: Stack) -> Iterator[None]:
    workers = [pid for name, pid in stack.pids().items() if name.startswith("worker")]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
