"""Reading and posting at once, open loop, at rising rates until the server falls behind: the knee.

The mix is DeathStarBench's for its social network (Gan et al., ASPLOS 2019, `mixed-workload.lua`):
60 % home timelines, 30 % the timeline of one person, 10 % posts, each by anybody alike. Who follows
whom is a power law, or `GRAPH=` an edge list of friendships, numbers from 0, such as socfb-Reed98
(R. Rossi and N. Ahmed, "The Network Data Repository", AAAI 2015): friends follow each other.

Everything is on: authentication, rate limits (300 a minute a person, which nobody of so many
people reaches), flags, fan-out by two workers. With people so many, most requests find the token
and the account gone from their short caches, and cost an SQL query: that is what a site sees, too.

Arrivals are Poisson, latencies count from when a request was due (open_loop.py). A rate is kept
when, in the median of its runs, p99 is within P99_MS and the last answer comes when the arrivals end.
Errors have a row of their own: there ought to be none below the knee. The generator runs beside
the servers on the same cores, and its lag counts as latency; how fast it is alone stands in
the first row.
"""

import itertools
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from bench import seeding
from bench.graphs import Follows, friendships, power_law
from bench.open_loop import Offered, Request, offer
from bench.results import Figure, Graph, Line, Result, Row, at_most
from bench.seeding import Person
from bench.stack import Stack, web_command
from deploy.errors import CannotStart
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import wait_until
from fanout.orders import resending
from fanout.orders.queues import BULK, FANOUT
from storage.stores import outbox

PEOPLE = 2_000
EACH = 5
"""Tweets a person at the start."""
HOME, USER, POST = "home", "user", "post"
SHARES = {HOME: 0.6, USER: 0.3, POST: 0.1}
RATES = (50, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1_000, 1_300, 1_600, 2_000)
SECONDS = 6.0
RUNS = 3
P99_MS = 500.0
KEPT_SHARE = 0.95
"""Of the rate: answers may come this much later than arrivals."""
WARM_RATE = 100
DRAIN_SECONDS = 15.0
ALONE_RATES = (500, 1_000, 1_500, 2_000, 3_000, 4_000)
ALONE_SECONDS = 3.0
LAG_MS = P99_MS / 10
"""A generator that sends later than this, in one of a hundred cases, is at its limit."""


class Step(msgspec.Struct, frozen=True):
    """What came of one run at one rate."""

    offered: Offered
    generator_cpu: float
    """Cores that the generator took."""
    waiting: int
    """Messages in the fan-out queues when the last answer had come."""

    @property
    def keeps_up(self) -> bool:
        """Whether the last answer came about when arrivals ended."""
        return self.offered.per_second() >= KEPT_SHARE * len(self.offered.answers) / SECONDS

    @property
    def kept(self) -> bool:
        return self.keeps_up and self.offered.ms(99) <= P99_MS


def measure(stack: Stack) -> Result:
    named = os.environ.get("GRAPH")
    follows = friendships(Path(named)) if named else power_law(PEOPLE)
    alone = _generator_alone(stack)
    people = _settle(follows)
    make = _mix(people, random.Random(1))  # noqa: S311 - no secret
    _warm(stack, people)
    steps = _until_it_falls_behind(stack, make)
    settings = {
        "people": f"{follows.people:,}",
        "follows": f"{len(follows.pairs):,}, {follows.most_followed():,} of one person",
        "seconds a run": f"{SECONDS:g}",
        "rate limits": "on",
    }
    rows = [alone, *(_row(rate, runs) for rate, runs in steps.items()), *_knee(steps)]
    return Result("mixed", stack.env["STORE"], rows, settings, [_graph(steps)])


def _settle(follows: Follows) -> list[Person]:
    """Everybody signed in, with some tweets and a timeline of what they follow, their own among it."""
    people = seeding.people(follows.people)
    seeding.follow((people[reader].id, people[author].id) for reader, author in follows.pairs)
    ids = seeding.tweets([person.id for person in people], EACH)
    by_author = [ids[number :: follows.people] for number in range(follows.people)]
    for number, followees in enumerate(follows.followees()):
        entries = sorted((each for author in (*followees, number) for each in by_author[author]), reverse=True)
        seeding.make_active([people[number].id], entries)
    return people


def _warm(stack: Stack, people: Sequence[Person]) -> None:
    """Everybody reads once, as a first read fills what others do not: marks, exclusions."""
    turns = itertools.cycle(people)

    def make() -> Request:
        return Request(HOME, "GET", "/api/v1/feed/home", next(turns).token)

    offer(stack.url, make, rate=WARM_RATE, seconds=len(people) / WARM_RATE)


def _mix(people: Sequence[Person], dice: random.Random) -> Callable[[], Request]:
    kinds, shares = list(SHARES), list(SHARES.values())

    def make() -> Request:
        [kind] = dice.choices(kinds, shares)
        token = dice.choice(people).token
        if kind == HOME:
            return Request(HOME, "GET", "/api/v1/feed/home", token)
        if kind == USER:
            return Request(USER, "GET", f"/api/v1/users/person{dice.randrange(len(people))}/tweets", token)
        text = f"Everything at once, {dice.getrandbits(64):x} #mixed https://example.org/{dice.getrandbits(32):x}"
        return Request(POST, "POST", "/api/v1/tweets", token, msgspec.json.encode({"text": text}), 201)

    return make


def _until_it_falls_behind(stack: Stack, make: Callable[[], Request]) -> dict[int, list[Step]]:
    """Rates until two in turn are not kept, these included: one may fall into a bad moment of the machine."""
    steps: dict[int, list[Step]] = {}
    missed = 0
    for rate in RATES:
        runs = steps[rate] = []
        while len(runs) < RUNS and sum(not run.kept for run in runs) <= RUNS // 2:
            runs.append(_step(stack, make, rate, seed=1_000 * rate + len(runs)))
            wait_until(lambda: not outbox().count_open(limit=1), seconds=DRAIN_SECONDS)
        missed = 0 if _kept(runs) else missed + 1
        if missed == 2:
            break
    return steps


def _step(stack: Stack, make: Callable[[], Request], rate: int, seed: int) -> Step:
    cpu, wall = time.process_time(), time.perf_counter()
    offered = offer(stack.url, make, rate=rate, seconds=SECONDS, seed=seed)
    cores = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return Step(offered, cores, sum(resending.all_queue_lengths([FANOUT, BULK]).values()))


def _kept(runs: Sequence[Step]) -> bool:
    return sum(run.kept for run in runs) > len(runs) // 2


def _row(rate: int, runs: Sequence[Step]) -> Row:
    def figure(name: str, unit: str, values: Iterable[float]) -> Figure:
        return Figure(name, unit, list(values))

    beside = [
        figure("p50", "ms", (run.offered.ms(50) for run in runs)),
        figure("p99.9", "ms", (run.offered.ms(99.9) for run in runs)),
        *(figure(f"p99 {kind}", "ms", (run.offered.ms(99, kind) for run in runs)) for kind in SHARES),
        figure("answered", "/s", (run.offered.per_second() for run in runs)),
        figure("errors", "", (run.offered.errors() for run in runs)),
        figure("fan-out waiting", "", (run.waiting for run in runs)),
        figure("generator's lag, p99", "ms", (run.offered.late_ms(99) for run in runs)),
        figure("generator", "cores", (run.generator_cpu for run in runs)),
    ]
    case = f"{rate}/s{'' if _kept(runs) else ', not kept'}"
    return Row(case, figure("p99", "ms", (run.offered.ms(99) for run in runs)), beside=beside)


def _knee(steps: dict[int, list[Step]]) -> list[Row]:
    kept = [rate for rate, runs in steps.items() if _kept(runs)]
    errors = sum(run.offered.errors() for rate in kept for run in steps[rate])
    return [
        Row("the knee: greatest rate kept", Figure("rate", "requests/s", [float(max(kept, default=0))])),
        Row("errors below the knee", Figure("errors", "", [float(errors)]), reach=at_most(0)),
    ]


def _graph(steps: dict[int, list[Step]]) -> Graph:
    rates = [float(rate) for rate in steps]
    lines = [
        Line(
            f"p{percent:g}",
            rates,
            [statistics.median(run.offered.ms(percent) for run in runs) for runs in steps.values()],
        )
        for percent in (50, 99, 99.9)
    ]
    return Graph("latency", "60 % home, 30 % user timeline, 10 % post", "requests/s", "ms", lines, log_y=True)


def _generator_alone(stack: Stack) -> Row:
    """How much the generator can send to a server that costs nearly nothing, before it is late itself."""
    url = f"http://{LOOPBACK}:{free_port()}"
    server = stack.start(web_command(url, "bench.trivial:application", 1))
    try:
        if not wait_until(lambda: answers_200(url), seconds=10):
            raise CannotStart("The trivial server does not answer.")
        best, cost = 0.0, 0.0
        for rate in ALONE_RATES:
            began = time.process_time()
            offered = offer(url, lambda: Request(HOME, "GET", "/", "nobody"), rate=rate, seconds=ALONE_SECONDS)
            cost = (time.process_time() - began) / len(offered.answers)
            if offered.late_ms(99) > LAG_MS or offered.errors():
                break
            best = offered.per_second()
    finally:
        server.kill()
    beside = [Figure("its processor time", "µs/request", [cost * 1_000_000])]
    return Row("the generator alone, against a trivial server", Figure("kept", "requests/s", [best]), beside=beside)
