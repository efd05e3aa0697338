"""Plots as SVG: in their frame, with gaps where nothing is known, and nothing in them that could run."""

import re
from xml.etree import ElementTree

import pytest

from feed.desk.plots import BOTTOM, HEIGHT, WIDTH, Points, Span, figure, plot

SPAN = Span(1_700_000_000, 1_700_003_600)


def drawn(points: Points, **more: Points) -> list[list[tuple[float, float]]]:
    """The stretches of a plot's lines."""
    svg = ElementTree.fromstring(plot("Lag", {"p50": points, **more}, SPAN))  # noqa: S314 - our own
    runs = [each.attrib["points"] for each in svg.iter("polyline")]
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in run.split())] for run in runs]


def test_a_line_goes_from_left_to_right_within_its_frame() -> None:
    [run] = drawn([(SPAN.since + 10 * n, float(n)) for n in range(361)])
    assert len(run) == 361
    assert [x for x, _ in run] == sorted(x for x, _ in run)
    assert [y for _, y in run] == sorted((y for _, y in run), reverse=True)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in run)


def test_what_is_not_known_is_a_gap_and_a_point_alone_is_a_dash() -> None:
    runs = drawn([(SPAN.since, 1.0), (SPAN.since + 10, 2.0), (SPAN.since + 20, None), (SPAN.since + 30, 3.0)])
    assert [len(run) for run in runs] == [2, 2]
    assert runs[1][0][1] == runs[1][1][1]
    assert drawn([(SPAN.since, None)]) == drawn([]) == []


def test_several_lines_share_a_scale_and_nothing_but_zeros_lies_on_the_ground() -> None:
    low, high = drawn([(SPAN.since, 10.0)], p99=[(SPAN.since, 100.0)])
    assert low[0][1] > high[0][1]
    [zeros] = drawn([(SPAN.since, 0.0), (SPAN.until, 0.0)])
    assert zeros[0][1] == zeros[1][1] == HEIGHT - BOTTOM


def test_names_are_text() -> None:
    page = plot("<script>alert(1)</script>", {'"><img src=x onerror=alert(1)>': [(SPAN.since, 1.0)]}, SPAN)
    assert "<script>" not in page
    assert "<img" not in page
    assert not re.search(r"style=|<style", page)


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.25, "0.25"), (7, "7"), (1_234, "1.23k"), (2_000_000, "2M"), (999, "999")]
)
def test_figures_are_short(value: float, said: str) -> None:
    assert figure(value) == said
