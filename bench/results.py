"""What a bench found: figures with their runs, each beside its reference, and how far they ought to reach.

Two things are compared run by run: ours, then the reference, then ours again. The ratio is the
median of the pairs' ratios, so a machine that is slow for a while slows both sides of a pair.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measured thing, a value a run, in the order of the runs."""

    name: str
    unit: str
    runs: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def __str__(self) -> str:
        """The median, and the least and greatest run."""
        spread = f" ({short(min(self.runs))}–{short(max(self.runs))})" if len(self.runs) > 1 else ""
        return f"{short(self.median)} {self.unit}{spread}"


class Reach(msgspec.Struct, frozen=True):
    """How far a row's ratio, or its value where there is no reference, ought to reach."""

    bound: float
    at_least: bool = True

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {short(self.bound)}"


def at_least(bound: float) -> Reach:
    return Reach(bound)


def at_most(bound: float) -> Reach:
    return Reach(bound, at_least=False)


class Row(msgspec.Struct, frozen=True):
    """One case of a bench."""

    case: str
    ours: Figure
    reference: Figure | None = None
    reach: Reach | None = None
    """Of the ratio if there is a reference, else of our median; None where nothing is asked."""
    beside: list[Figure] = []
    """What was measured in the same runs: latencies, errors, sizes."""

    @property
    def ratio(self) -> float | None:
        """Ours to the reference, as the median of the runs' ratios; of the medians where runs are not pairs."""
        if self.reference is None:
            return None
        pairs = list(zip(self.ours.runs, self.reference.runs, strict=False))
        if len(self.ours.runs) != len(self.reference.runs):
            return self.ours.median / self.reference.median
        return statistics.median(ours / reference for ours, reference in pairs)

    @property
    def met(self) -> bool | None:
        if self.reach is None:
            return None
        return self.reach.met(self.ours.median if self.ratio is None else self.ratio)


class Line(msgspec.Struct, frozen=True):
    """A line of a graph."""

    name: str
    xs: list[float]
    ys: list[float]


class Graph(msgspec.Struct, frozen=True):
    """Lines over one axis; `log` where values span powers of ten."""

    name: str
    title: str
    x: str
    y: str
    lines: list[Line]
    log_x: bool = False
    log_y: bool = False


class Result(msgspec.Struct, frozen=True):
    """What one run of one bench on one store found."""

    bench: str
    store: str
    rows: list[Row]
    settings: dict[str, str] = {}
    """What was measured with: sizes, processes, seconds."""
    graphs: list[Graph] = []
    notes: list[str] = []
    seconds: float = 0.0


def short(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent lie (nearest rank). `values` must not be empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def save(result: Result, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{result.bench}-{result.store}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    return path


def load(path: Path) -> Result:
    return msgspec.json.decode(path.read_bytes(), type=Result)
