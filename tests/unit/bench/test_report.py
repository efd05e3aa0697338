"""Results as Markdown."""

import pytest

from bench.report import of_machine, of_result, summary
from bench.results import Figure, Reach, Result, Row, at_least


def row(case: str = "1,000 followers", *, ours: float = 100, reach: Reach | None = None) -> Row:
    return Row(
        case,
        Figure("ours", "deliveries/s", [ours, ours * 2, ours * 3]),
        Figure("bare script", "deliveries/s", [ours, ours, ours]),
        reach,
        [Figure("p99", "ms", [1.5]), Figure("errors", "", [0])],
    )


def result(*rows: Row) -> Result:
    return Result("fanout", "cassandra", list(rows), {"workers": "2", "web": "0"}, notes=["A note."], seconds=61)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_result_is_a_table_between_its_settings_and_its_notes() -> None:
    text = of_result(result(row(reach=at_least(3)), row("10,000 followers")))
    assert text.index("### fanout (cassandra, 61 s)") < text.index("workers 2; web 0") < text.index("| case |")
    assert text.endswith("A note.")
    first, second = [line for line in text.splitlines() if "followers" in line]
    assert cells(first) == [
        "1,000 followers",
        "ours: 200 deliveries/s (100–300)",
        "bare script: 100 deliveries/s (100–100)",
        "2",
        "≥ 3 **not reached**",
        "p99 1.5 ms; errors 0",
    ]
    assert cells(second)[4] == ""


def test_every_line_of_a_table_has_as_many_cells() -> None:
    lines = [
        line for line in of_result(result(row(), Row("alone", Figure("x", "ms", [1])))).splitlines() if "|" in line
    ]
    assert len({line.count("|") for line in lines}) == 1


def test_the_summary_has_the_rows_that_have_something_to_reach_and_no_others() -> None:
    text = summary([result(row("one", reach=at_least(2)), row("two", reach=at_least(3)), row("three"))], [], 120)
    assert "(2 minutes)" in text
    one, two = [line for line in text.splitlines() if line.startswith("| fanout")]
    assert cells(one) == ["fanout, cassandra", "one", "200 deliveries/s (100–300)", "2", "≥ 2", "reached"]
    assert cells(two)[-1] == "**not reached**"
    assert "three" not in text


@pytest.mark.parametrize(("failed", "said"), [([], False), (["home on cassandra"], True)])
def test_the_summary_names_what_failed(failed: list[str], said: bool) -> None:
    assert ("Failed: home on cassandra" in summary([], failed, 1)) is said


def test_the_machine_is_one_line() -> None:
    assert of_machine({"processor": "2 × x", "memory": "8 GiB"}) == "processor: 2 × x; memory: 8 GiB"
