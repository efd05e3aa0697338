"""docs/scaling.md derives its figures from those of docs/capacity.md, and these are the model's."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
SECONDS_A_DAY, PEAK = 86_400, 3
BUSY = {"web": 0.6, "worker": 0.6, "timelines": 0.5, "broker": 0.5, "Cassandra": 0.5 * 16, "PostgreSQL": 0.5 * 4_000}
"""Of one, in the unit of its column: cores, or SQL queries a second."""


def rows(page: str, table: str) -> list[list[str]]:
    found = re.search(rf"<!-- {table} -->\n(.*?)<!-- end -->", (DOCS / page).read_text(), re.DOTALL)
    assert found is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_what_one_of_each_carries_follows_from_the_peak_s_loads() -> None:
    loads = rows("capacity.md", "table: loads")
    tweets = next(number(row[1]) for row in loads if row[0] == "posts")
    in_all = [number(cell) for cell in next(row[2:] for row in loads if row[0] == "in all")]
    needed = dict(zip(BUSY, in_all, strict=True))
    said = rows("scaling.md", "scaling: carries")[2:]
    assert len(said) == len(BUSY)
    for (one, busy), row in zip(BUSY.items(), said, strict=True):
        carried = busy * tweets / needed[one]
        assert one in row[0]
        assert number(row[1]) == round(carried)
        assert abs(number(re.split(" tweets", row[2])[0]) / (carried / PEAK * SECONDS_A_DAY) - 1) < 0.001


def test_the_fleet_is_that_of_the_design_point() -> None:
    machines = {row[0]: row[2] for row in rows("capacity.md", "table: machines")[2:] if row[0] != "the same"}
    text = (DOCS / "scaling.md").read_text()
    for what, unit in (
        ("web processes, a core each", "`web`"),
        ("workers", "workers"),
        ("Redis for timelines, a core each", "Redis cores"),
        ("brokers, a core each", "brokers"),
        ("Cassandra, 16 cores each", "Cassandra nodes"),
    ):
        assert f"{machines[what]} {unit}" in text
