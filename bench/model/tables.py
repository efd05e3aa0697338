"""The model as Markdown tables: those that docs/capacity.md shows, by name."""

import math
from collections.abc import Sequence

from bench.model import demand, limits, network, partitions, sensitivity
from bench.model.costs import SOURCES, Costs
from bench.model.peak_hour import EVENT_AT, LARGE, SMALL, Hour
from bench.model.site import Site, assumptions
from bench.results import percentile, short

TENFOLD = 10.0
INFINITY = math.inf
QUIET = (0.0, EVENT_AT)
"""The hour before something happens."""


def tables(site: Site, costs: Costs, hour: Hour) -> dict[str, str]:
    """Each table by its name, in the order of the document."""
    return {
        "assumptions": table(("what", "how much", "where from"), assumptions(site)),
        "costs": _costs(costs),
        "loads": _loads(site, costs),
        "machines": _machines(site, costs),
        "memory": _memory(site, costs),
        "partitions": _partitions(site),
        "storage": _storage(site, costs),
        "network": _network(site, costs),
        "lag": _lag(hour),
        "recovery": _recovery(site),
        "days": _days(site, costs),
        "pushing": _pushing(site, costs),
        "shards": _shards(site, costs),
        "limits": _limits(site, costs),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _costs(costs: Costs) -> str:
    rows = []
    for name in Costs.__struct_fields__:
        source = SOURCES.get(name)
        rows.append((f"`{name}`", quantity(name, getattr(costs, name)), str(source)))
    return table(("cost", "value", "measured by: bench, case, figure"), rows)


def quantity(name: str, value: float) -> str:
    """A cost with its unit, as the ending of its name says."""
    if name.endswith(("_bytes", "_disk")):
        return f"{value / 1e6:.0f} MB" if value >= 1e6 else f"{value:,.0f} bytes"
    return f"{value * 1e3:.3g} ms" if value >= 1e-4 else f"{value * 1e6:.3g} µs"


def _loads(site: Site, costs: Costs) -> str:
    found = demand.loads(site, costs)
    rows = [
        (
            each.name,
            f"{each.per_second:,.0f}" if each.per_second else "",
            *(_cores(value) for value in (each.web, each.workers, each.redis, each.broker, each.cassandra)),
            f"{each.sql:,.0f}" if each.sql else "",
        )
        for each in [*found, demand.total(found)]
    ]
    return table(("at the peak", "a second", "web", "workers", "Redis", "broker", "Cassandra", "SQL queries/s"), rows)


def _machines(site: Site, costs: Costs) -> str:
    one, ten = (demand.machines(each, costs) for each in (site, site.times(TENFOLD)))

    def row(what: str, by: str, field: str) -> tuple[str, ...]:
        return what, by, *(f"{math.ceil(getattr(each, field)):,}" for each in (one, ten))

    processes = [demand.process_memory(each, costs) for each in (site, site.times(TENFOLD))]
    web = f"{demand.UTILISATION:.0%} busy"
    server = f"{demand.SERVER_UTILISATION:.0%} busy"
    return table(
        ("what", "by", "design point", "10 ×"),
        [
            row("web processes, a core each", web, "web_processes"),
            row("workers", f"{web}, waiting for answers included", "workers"),
            ("memory of web and workers", "their proportional share", *(f"{each / 1e9:,.0f} GB" for each in processes)),
            row("live processes", f"{demand.SOCKETS_A_PROCESS:,} sockets each", "live_processes"),
            row("Redis for timelines, a core each", server, "redis_by_cpu"),
            row("the same", f"{demand.REDIS_GB:g} GB of values each", "redis_by_memory"),
            row("brokers, a core each", server, "brokers"),
            row(f"Cassandra, {demand.CORES_A_MACHINE} cores each", server, "cassandra_by_cpu"),
            row("the same", f"{demand.CASSANDRA_TB:g} TB each, a year's tweets", "cassandra_by_disk"),
            row("SQL cores", f"{demand.SQL_QUERIES_A_CORE:,} queries/s a core, {server}", "sql_cores"),
        ],
    )


def _memory(site: Site, costs: Costs) -> str:
    found = demand.memory(site, costs)
    rows = [(name, f"{size / 1e9:,.1f} GB") for name, size in found.items()]
    return table(("in Redis", "size"), [*rows, ("in all", f"{sum(found.values()) / 1e9:,.0f} GB")])


def _partitions(site: Site) -> str:
    rows = [
        (
            f"`{each.table}`",
            each.what,
            f"{each.rows:,.0f}",
            _size(each.bytes),
            f"{each.a_day:,.0f}" if each.a_day else "",
        )
        for each in partitions.partitions(site)
    ]
    return table(("table", "the largest partition", "rows", "size", "begun a day"), rows)


def _storage(site: Site, costs: Costs) -> str:
    rows = [(name, f"{size / 1e12:,.1f} TB") for name, size in demand.storage_a_year(site, costs).items()]
    rows += [
        ("outbox: rows that are there at the peak", f"{partitions.outbox_rows_kept(site):,.0f}"),
        ("outbox: partitions that are there", f"{partitions.outbox_minutes_kept():.0f}"),
    ]
    return table(("in Cassandra", "three replicas"), rows)


def _network(site: Site, costs: Costs) -> str:
    rows = [(name, f"{rate:.1f}") for name, rate in network.gigabits(site, costs).items()]
    return table(("at the peak", "Gbit/s"), rows)


def _lag(hour: Hour) -> str:
    """In the hour before the event, and of those who tweeted in it or in the minute after."""
    rows = []
    for name, low, high in (
        (f"up to {SMALL:,}", 0, SMALL),
        (f"{SMALL:,} to {LARGE:,}", SMALL, LARGE),
        (f"above {LARGE:,}", LARGE, INFINITY),
    ):
        quiet, event = (
            hour.lags(low, high, begin=begin, end=end) for begin, end in (QUIET, (EVENT_AT, EVENT_AT + 120))
        )
        rows.append((name, *(_ms(each, percent) for each in (quiet, event) for percent in (50, 99))))
    for name, place in (("fan-out", 1), ("bulk", 2)):
        depths = [(each[0] < EVENT_AT, each[place] * hour.scale) for each in hour.queues]
        quiet_depth = max(depth for is_quiet, depth in depths if is_quiet)
        longest = max(depth for _, depth in depths)
        rows.append((f"longest {name} queue, messages", "", f"{quiet_depth:,}", "", f"{longest:,}"))
    return table(("followers of the author", "p50", "p99", "event: p50", "event: p99"), rows)


def _recovery(site: Site) -> str:
    rows = [
        (
            _duration(each.outage_seconds), f"{each.open_orders:,.0f}", _duration(each.worked_seconds),
            f"{math.ceil(each.sweepers)}",
        )
        for each in limits.recoveries(site)
    ]  # fmt: skip
    return table(
        ("outage at the peak", "open orders", "until they are worked off", "sweepers, if the broker has none of them"),
        rows,
    )


def _days(site: Site, costs: Costs) -> str:
    rows = [
        (
            f"{each.active_days:g}", f"{each.active / 1e6:.1f} million", f"{each.timeline_bytes / 1e9:,.0f} GB",
            f"{each.deliveries_a_day / 1e9:.1f} billion", f"{each.returns_a_day:,.0f}", f"{each.redis_cores:.1f}",
            f"{each.cold_cores:.2f}",
        )
        for each in sensitivity.by_days(site, costs)
    ]  # fmt: skip
    head = (
        "`ACTIVE_DAYS`",
        "active",
        "timelines",
        "deliveries a day",
        "returns a day",
        "Redis cores of fan-out",
        "cores of cold reads",
    )
    return table(head, rows)


def _pushing(site: Site, costs: Costs) -> str:
    rows = [
        (
            f"{each.push_max_followers:,.0f}" if each.push_max_followers else "0: everybody",
            f"{each.deliveries_a_day / 1e9:.1f} billion", f"{each.merged_authors:,.0f}",
            f"{each.merged_of_a_reader:.0f}", f"{each.fan_out_cores:.0f}", f"{each.merging_cores:.0f}",
            f"{each.cores:.0f}", _duration(each.largest_seconds),
        )
        for each in sensitivity.by_limit(site, costs)
    ]  # fmt: skip
    head = (
        "`PUSH_MAX_FOLLOWERS`", "deliveries a day", "merged authors", "of one reader", "cores of fan-out",
        "cores of merging", "together", "the largest order, alone",
    )  # fmt: skip
    return table(head, rows)


def _shards(site: Site, costs: Costs) -> str:
    rows = [
        (
            f"{each.shards:g}", f"{each.calls_a_tweet:.0f}", f"{each.worker_ms:.1f} ms", f"{each.redis_ms:.2f} ms",
            f"{math.ceil(each.workers):,}", f"{math.ceil(each.redis_nodes):,}",
        )
        for each in sensitivity.by_shards(site, costs)
    ]  # fmt: skip
    head = ("`TIMELINE_SHARDS`", "script calls a tweet", "a worker", "Redis", "workers", "Redis nodes needed")
    return table(head, rows)


def _limits(site: Site, costs: Costs) -> str:
    rows = [
        (
            str(place), each.name, each.why, f"{short(each.has)} of {short(each.needs)} {each.unit}",
            f"{short(each.room)} ×", each.remedy,
        )
        for place, each in enumerate(limits.limits(site, costs), start=1)
    ]  # fmt: skip
    return table(("", "what breaks", "because", "has, of what the peak needs", "room", "remedy"), rows)


def _cores(value: float) -> str:
    return short(value) if value else ""


def _size(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.0f} KB"


def _ms(lags: Sequence[float], percent: float) -> str:
    return f"{percentile(lags, percent) * 1e3:,.0f} ms" if lags else ""


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{short(seconds)} s"
    return f"{short(seconds / 60)} min" if seconds < 7_200 else f"{short(seconds / 3_600)} h"
