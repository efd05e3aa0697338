"""`make capacity`: the plan for the design point, from measured costs to machines, and what breaks first.

    make capacity                         # with the figures in OUT (default data/bench), where there are some
    python -m bench.capacity --committed  # with those that are committed: the tables of docs/capacity.md
    python -m bench.capacity --write      # the same, into docs/capacity.md and docs/capacity/
    python -m bench.capacity --adopt      # what stands in OUT becomes the committed figures, and is written so

The model is in bench/model/; docs/capacity.md says what it assumes and what follows.
"""

import argparse
import re
import sys
from pathlib import Path

from bench.model import demand, peak_hour, sensitivity
from bench.model.costs import Costs, commit, committed, from_results
from bench.model.peak_hour import HOUR, LARGE, SCALE, SMALL, WINDOW, Hour
from bench.model.site import DESIGN, Site
from bench.model.tables import INFINITY, tables
from bench.plots import draw_graph
from bench.results import Graph, Line, percentile
from deploy.plan import ROOT

DOCUMENT = ROOT / "docs" / "capacity.md"
PLOTS = ROOT / "docs" / "capacity"
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/bench"), help="directory of the benches' JSON")
    parser.add_argument("--committed", action="store_true", help="only the committed figures")
    parser.add_argument("--write", action="store_true", help="into docs/: tables and plots of committed figures")
    parser.add_argument("--adopt", action="store_true", help="commit what stands in OUT, and write")
    given = parser.parse_args()
    costs, missing = (committed(), []) if given.committed or given.write else from_results(given.out)
    if missing:
        print(f"Not in {given.out}, so as committed: {'; '.join(missing)}\n", file=sys.stderr)
    if given.adopt:
        commit(costs)
        costs = committed()
    hour = simulated(DESIGN, costs)
    found = tables(DESIGN, costs, hour)
    if given.write or given.adopt:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(), found))
        for graph in graphs(DESIGN, costs, hour):
            draw_graph(graph, PLOTS / f"{graph.name}.svg")
    for name, text in found.items():
        print(f"\n### {name}\n\n{text}")
    return 0


def simulated(site: Site, costs: Costs) -> Hour:
    return peak_hour.simulate(site, costs, workers=demand.machines(site, costs).workers)


def filled(document: str, found: dict[str, str]) -> str:
    """The document with each table in its place. Raises KeyError for a place whose table there is not."""
    return PLACE.sub(lambda place: place[1] + found[place[2]] + place[3], document)


def graphs(site: Site, costs: Costs, hour: Hour) -> list[Graph]:
    return [_lags(hour), _queues(hour), *_sensitivities(site, costs)]


def _lags(hour: Hour) -> Graph:
    starts = [float(start) for start in range(0, int(HOUR), int(WINDOW))]
    lines = []
    for name, low, high in (("small authors", 0, SMALL), (f"above {LARGE:,} followers", LARGE, INFINITY)):
        windows = [hour.lags(low, high, begin=start, end=start + WINDOW) for start in starts]
        for percent in (50, 99):
            points = [
                (start / 60, percentile(each, percent)) for start, each in zip(starts, windows, strict=True) if each
            ]
            lines.append(Line(f"{name}, p{percent}", [x for x, _ in points], [y for _, y in points]))
    title = f"Fan-out lag through the peak hour, scaled down {SCALE} times"
    return Graph("lag", title, "minute", "s", lines, log_y=True)


def _queues(hour: Hour) -> Graph:
    minutes = [second / 60 for second, _, _ in hour.queues]
    lines = [
        Line("fan-out", minutes, [float(depth) for _, depth, _ in hour.queues]),
        Line("bulk", minutes, [float(depth) for _, _, depth in hour.queues]),
    ]
    return Graph("queues", f"Tasks that wait, scaled down {SCALE} times", "minute", "tasks", lines)


def _sensitivities(site: Site, costs: Costs) -> list[Graph]:
    days = sensitivity.by_days(site, costs)
    pushing = [each for each in sensitivity.by_limit(site, costs) if each.push_max_followers]
    sharding = sensitivity.by_shards(site, costs)
    active = [each.active_days for each in days]
    followers = [each.push_max_followers for each in pushing]
    shards = [each.shards for each in sharding]
    kept = Line("timelines, GB", active, [each.timeline_bytes / 1e9 for each in days])
    returns = Line("returns a day, thousands", active, [each.returns_a_day / 1e3 for each in days])
    cores = [
        Line("fan-out", followers, [each.fan_out_cores for each in pushing]),
        Line("merging", followers, [each.merging_cores for each in pushing]),
        Line("together", followers, [each.cores for each in pushing]),
    ]
    costs_a_tweet = [
        Line("a worker", shards, [each.worker_ms for each in sharding]),
        Line("Redis", shards, [each.redis_ms for each in sharding]),
    ]
    return [
        Graph("active_days", "ACTIVE_DAYS", "days", "", [kept, returns], log_x=True, log_y=True),
        Graph("push_max_followers", "PUSH_MAX_FOLLOWERS", "followers", "cores at the peak", cores, log_x=True),
        Graph("timeline_shards", "TIMELINE_SHARDS", "shards", "ms a tweet", costs_a_tweet, log_x=True, log_y=True),
    ]


if __name__ == "__main__":
    sys.exit(main())
