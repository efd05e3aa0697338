"""Results as Markdown: the same tables on the terminal and in docs/benchmarks.md."""

from collections.abc import Mapping, Sequence

from bench.results import Result, Row, short

MARKS = {True: "reached", False: "**not reached**", None: ""}


def of_machine(found: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in found.items())


def of_result(result: Result) -> str:
    """One table of a bench, its settings before and its notes after it."""
    settings = "; ".join(f"{name} {value}" for name, value in result.settings.items())
    lines = [f"\n### {result.bench} ({result.store}, {result.seconds:.0f} s)\n"]
    lines += [f"{settings}\n"] if settings else []
    lines += ["| case | measured | reference | ratio | reach | beside |", "|---|---|---|---|---|---|"]
    lines += [_line(row) for row in result.rows]
    lines += [f"\n{note}" for note in result.notes]
    return "\n".join(lines)


def summary(results: Sequence[Result], failed: Sequence[str], seconds: float) -> str:
    """One line a row that has something to reach."""
    lines = [f"\n## Summary ({seconds / 60:.0f} minutes)\n"]
    lines += ["| bench | case | measured | ratio | reach | |", "|---|---|---|---|---|---|"]
    for result in results:
        for row in (row for row in result.rows if row.reach is not None):
            cells = [f"{result.bench}, {result.store}", row.case, str(row.ours), _ratio(row), _reach(row)]
            lines.append(f"| {' | '.join(cells)} | {MARKS[row.met]} |")
    lines += [f"\nFailed: {', '.join(failed)}" if failed else ""]
    return "\n".join(lines)


def _line(row: Row) -> str:
    reach = f"{_reach(row)} {MARKS[row.met]}".strip()
    reference = f"{row.reference.name}: {row.reference}" if row.reference is not None else ""
    beside = "; ".join(f"{each.name} {each}" for each in row.beside)
    return f"| {row.case} | {row.ours.name}: {row.ours} | {reference} | {_ratio(row)} | {reach} | {beside} |"


def _ratio(row: Row) -> str:
    return short(row.ratio) if row.ratio is not None else ""


def _reach(row: Row) -> str:
    return str(row.reach) if row.reach is not None else ""
