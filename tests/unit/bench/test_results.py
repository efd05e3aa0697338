"""What a bench found: medians, ratios of pairs, reach, and the file that keeps it."""

from pathlib import Path

import pytest

from bench.results import Figure, Graph, Line, Result, Row, at_least, at_most, load, percentile, save, short


def figure(*runs: float) -> Figure:
    return Figure("rate", "requests/s", list(runs))


def test_a_figure_says_its_median_and_its_spread() -> None:
    assert figure(3, 1, 100).median == 3
    assert str(figure(3_000, 1, 12.345)) == "12.3 requests/s (1–3,000)"
    assert str(figure(0.01234)) == "0.0123 requests/s"


def test_the_ratio_is_the_median_of_the_pairs_so_that_a_slow_moment_slows_both() -> None:
    row = Row("case", figure(100, 10, 90), figure(200, 20, 100))
    assert row.ratio == 0.5


def test_runs_that_are_no_pairs_are_compared_by_their_medians() -> None:
    assert Row("case", figure(100, 300, 200), figure(50, 150)).ratio == 2
    assert Row("case", figure(1)).ratio is None


@pytest.mark.parametrize(("value", "met"), [(0.6, True), (0.59, False), (0.7, True)])
def test_at_least_includes_its_bound(value: float, met: bool) -> None:
    assert at_least(0.6).met(value) is met


@pytest.mark.parametrize(("value", "met"), [(0, True), (1, False), (-1, True)])
def test_at_most_includes_its_bound(value: float, met: bool) -> None:
    assert at_most(0).met(value) is met


def test_a_row_reaches_by_its_ratio_or_by_its_own_median_where_nothing_stands_beside() -> None:
    assert Row("case", figure(10), figure(20), reach=at_most(0.5)).met is True
    assert Row("case", figure(10), figure(20), reach=at_least(0.51)).met is False
    assert Row("case", figure(1, 3, 2), reach=at_most(2)).met is True
    assert Row("case", figure(1, 3, 2), reach=at_most(1.9)).met is False
    assert Row("case", figure(1)).met is None


def test_reach_is_written_as_in_the_issue() -> None:
    assert str(at_least(0.6)) == "≥ 0.6"
    assert str(at_most(0.125)) == "≤ 0.125"


@pytest.mark.parametrize("percent", [0, 50, 99, 99.9])
def test_so_many_percent_lie_below_a_percentile(percent: float) -> None:
    values = [float(each) for each in range(1_000)][::-1]
    assert sum(each < percentile(values, percent) for each in values) == percent * 10


def test_the_highest_percentile_is_the_greatest_value() -> None:
    assert percentile([5.0, 7.0], 100) == 7
    assert percentile([5.0], 50) == 5


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.001234, "0.00123"), (99.94, "99.9"), (1_234.5, "1,234"), (-2_500, "-2,500")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    row = Row("case", figure(1, 2), figure(3, 4), at_least(0.5), [Figure("p99", "ms", [1.5])])
    graph = Graph("latency", "title", "x", "y", [Line("p50", [1, 2], [3, 4])], log_y=True)
    result = Result("home", "embedded", [row], {"people": "3"}, [graph], ["a note"], 12.5)
    path = save(result, tmp_path / "not" / "there" / "yet")
    assert path.name == "home-embedded.json"
    assert load(path) == result
