"""What one operation costs: measured by the benches, and committed in measured.json as it was measured last.

Processor times are of `make bench-costs` unless a line says otherwise. They hardly depend on who else
uses the machine, but on the machine: a core is one of that machine's.

`from_results` reads newer figures out of a directory of results, each by the name of a bench, the
beginning of a row's case and the name of a figure. What is not there keeps its committed value, and is named.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from bench.results import Result, load


class Costs(msgspec.Struct, frozen=True):
    """Processor seconds an operation by process, bytes, and sizes. `sql`: web's seconds a query."""

    home_web: float
    home_redis: float
    merged_web: float
    merged_redis: float
    user_web: float
    user_redis: float
    user_cassandra: float
    post_web: float
    post_worker: float
    post_redis: float
    post_broker: float
    post_cassandra: float
    delivery_worker: float
    delivery_redis: float
    lookup_worker: float
    lookup_redis: float
    lookup_cassandra: float
    shard_worker: float
    shard_redis: float
    cold_web: float
    cold_redis: float
    cold_cassandra: float
    timeline_bytes: float
    tweet_bytes: float
    counts_bytes: float
    reader_bytes: float
    web_bytes: float
    worker_bytes: float
    tweet_disk: float
    follow_disk: float


class Source(msgspec.Struct, frozen=True):
    """Where a figure stands in the results: `figure` of the first row whose case begins so, times `scale`."""

    bench: str
    case: str
    figure: str
    scale: float

    def __str__(self) -> str:
        return f"{self.bench}, “{self.case}”, {self.figure}"


MEASURED = Path(__file__).with_name("measured.json")
MS, US, MIB = 1e-3, 1e-6, 1_048_576.0
SOURCES: dict[str, Source] = {
    "home_web": Source("costs", "a home read", "web", MS),
    "home_redis": Source("costs", "a home read", "timeline", MS),
    "merged_web": Source("costs", "merged", "web", MS),
    "merged_redis": Source("costs", "merged", "timeline", MS),
    "user_web": Source("costs", "a user's timeline", "web", MS),
    "user_redis": Source("costs", "a user's timeline", "timeline", MS),
    "user_cassandra": Source("costs", "a user's timeline", "cassandra", MS),
    "post_web": Source("costs", "a post", "web", MS),
    "post_worker": Source("costs", "a post", "worker", MS),
    "post_redis": Source("costs", "a post", "timeline", MS),
    "post_broker": Source("costs", "a post", "broker", MS),
    "post_cassandra": Source("costs", "a post", "cassandra", MS),
    "delivery_worker": Source("costs", "a delivery", "worker", US),
    "delivery_redis": Source("costs", "a delivery", "timeline", US),
    "lookup_worker": Source("costs", "a look-up", "worker", US),
    "lookup_redis": Source("costs", "a look-up", "timeline", US),
    "lookup_cassandra": Source("costs", "a look-up", "cassandra", US),
    "shard_worker": Source("costs", "a shard more", "worker", US),
    "shard_redis": Source("costs", "a shard more", "timeline", US),
    "cold_web": Source("costs", "a cold read", "web", MS),
    "cold_redis": Source("costs", "a cold read", "timeline", MS),
    "cold_cassandra": Source("costs", "a cold read", "cassandra", MS),
    "timeline_bytes": Source("memory", "the same, used_memory", "timeline", 1.0),
    "tweet_bytes": Source("memory", "cached tweet", "tweet", 1.0),
    "counts_bytes": Source("memory", "cached tweet", "counts", 1.0),
    "reader_bytes": Source("memory", "a signed-in reader's", "keys", 1.0),
    "web_bytes": Source("memory", "web 1", "PSS", MIB),
    "worker_bytes": Source("memory", "worker.1", "PSS", MIB),
    "tweet_disk": Source("memory", "a tweet on disk", "sstables", 1.0),
    "follow_disk": Source("memory", "a follow on disk", "sstables", 1.0),
}


def committed() -> Costs:
    return msgspec.json.decode(MEASURED.read_bytes(), type=Costs)


def commit(costs: Costs) -> None:
    rounded = {name: float(f"{value:.3g}") for name, value in structs.asdict(costs).items()}
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(rounded), indent=1) + b"\n")


def from_results(directory: Path, store: str = "cassandra") -> tuple[Costs, list[str]]:
    """The costs as the results there have them, and the names of those that are not there."""
    results: dict[str, Result] = {}
    for bench in {source.bench for source in SOURCES.values()}:
        path = directory / f"{bench}-{store}.json"
        if path.exists():
            results[bench] = load(path)
    found = {name: _look_up(results.get(source.bench), source) for name, source in SOURCES.items()}
    missing = [f"{name} ({SOURCES[name]})" for name, value in found.items() if value is None]
    known = {name: value for name, value in found.items() if value is not None}
    return structs.replace(committed(), **known), missing


def _look_up(result: Result | None, source: Source) -> float | None:
    """Never below nothing: a difference of two measurements may be, within their noise."""
    rows = [row for row in result.rows if row.case.startswith(source.case)] if result is not None else []
    figures: Sequence[float] = [
        figure.median for row in rows[:1] for figure in (row.ours, *row.beside) if figure.name == source.figure
    ]
    return max(figures[0] * source.scale, 0.0) if figures else None
