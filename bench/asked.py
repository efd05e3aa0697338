"""Servers that are asked in turn: the requests a second of each, and what one takes of its processors."""

from collections.abc import Sequence

import msgspec

from bench import cpu
from bench.results import Figure, Reach, Row
from bench.wrk import Load, wrk

RUNS = 3
SECONDS = 5.0
WARM_SECONDS = 2.0


class Asked(msgspec.Struct, frozen=True):
    """One of them: where it is, the process that leads its servers, and what is posted, if anything is."""

    url: str
    pid: int
    bodies: list[str] = []

    def load(self, tokens: Sequence[str], connections: int) -> "Measured":
        """SECONDS of load, after WARM_SECONDS that are not measured."""

        def ask(seconds: float) -> Load:
            return wrk(self.url, connections=connections, seconds=seconds, tokens=tokens, bodies=self.bodies)

        ask(WARM_SECONDS)
        before = cpu.seconds({"web": self.pid})
        load = ask(SECONDS)
        spent = cpu.between(before, cpu.seconds({"web": self.pid}))["web"]
        return Measured(load, 1e3 * spent / (load.per_second * SECONDS))


class Measured(msgspec.Struct, frozen=True):
    load: Load
    cpu_ms: float
    """Processor time of the web servers for a request."""


def row(case: str, ours: Sequence[Measured], name: str, reference: Sequence[Measured], reach: Reach) -> Row:
    """A row of the rates, with processor time and latencies beside it."""
    return Row(
        case,
        Figure("ours", "requests/s", [each.load.per_second for each in ours]),
        Figure(name, "requests/s", [each.load.per_second for each in reference]),
        reach,
        [
            Figure("CPU of web", "ms", [each.cpu_ms for each in ours]),
            Figure("reference's", "ms", [each.cpu_ms for each in reference]),
            Figure("p50", "ms", [each.load.p50_ms for each in ours]),
            Figure("p99", "ms", [each.load.p99_ms for each in ours]),
            Figure("reference p99", "ms", [each.load.p99_ms for each in reference]),
            Figure("errors", "", [float(each.load.errors) for each in (*ours, *reference)]),
        ],
    )
