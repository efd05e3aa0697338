"""Plots as SVG, made here: no script, no style in the page, no other host. Colours are those of desk.css, by class.

A line goes through what is known; where nothing is, it stops, and goes on behind the gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 600, 170
LEFT, RIGHT, TOP, BOTTOM = 58, 8, 14, 24
LINES = 4
"""Colours of lines; a fifth would have the first one's."""

Points = Sequence[tuple[int, float | None]]
"""Unix seconds and values, ascending in time; None where nothing is known."""


class Span(msgspec.Struct, frozen=True):
    """From when to when a plot goes, in Unix seconds."""

    since: int
    until: int


def plot(title: str, lines: Mapping[str, Points], span: Span, *, unit: str = "") -> SafeString:
    """Returns the plot of some lines over the same time; from 0 up, in one scale."""
    top = _ceiling(max((value for points in lines.values() for _, value in points if value is not None), default=0))
    marks = format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="mark" x="{}" y="{}">{}</text>',
        ((LEFT, WIDTH - RIGHT, y, y, LEFT - 4, y + 4, figure(value)) for value, y in _marks(top)),
    )
    times = format_html_join(
        "",
        '<text class="time {}" x="{}" y="{}">{}</text>',
        ((side, x, HEIGHT - 5, _clock(at)) for side, x, at in _times(span)),
    )
    drawn = format_html_join(
        "",
        '<polyline class="line line-{}" points="{}"/>',
        ((number % LINES, run) for number, points in enumerate(lines.values()) for run in _runs(points, span, top)),
    )
    legend = format_html_join(
        "",
        '<li class="line-{}"><span class="key"></span>{} <strong>{}</strong></li>',
        (
            (number % LINES, name, "unknown" if value is None else f"{figure(value)}{unit}")
            for number, (name, value) in enumerate((name, _last(points)) for name, points in lines.items())
        ),
    )
    return format_html(
        '<figure class="plot"><figcaption>{}</figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg><ul>{}</ul></figure>',
        title,
        WIDTH,
        HEIGHT,
        f"{title}, from {_clock(span.since)} to {_clock(span.until)} UTC",
        marks,
        times,
        drawn,
        legend,
    )


def figure(value: float) -> str:
    """Returns a number as it is read at a glance: 3 digits, thousands as k, millions as M."""
    for factor, suffix in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{suffix}"
    return f"{value:.3g}"


def _last(points: Points) -> float | None:
    return next((value for _, value in reversed(points) if value is not None), None)


def _ceiling(value: float) -> float:
    """The end of the scale: 1, 2 or 5 times a power of ten, at or above the value; 1 for nothing."""
    power = 1e-3
    while value > 0:
        for step in (1, 2, 5):
            if step * power >= value:
                return step * power
        power *= 10
    return 1.0


def _marks(top: float) -> Iterator[tuple[float, float]]:
    for share in (0.0, 0.5, 1.0):
        yield top * share, round(_y(top * share, top), 1)


def _times(span: Span) -> Iterator[tuple[str, int, int]]:
    middle = (span.since + span.until) // 2
    yield "first", LEFT, span.since
    yield "middle", (LEFT + WIDTH - RIGHT) // 2, middle
    yield "last", WIDTH - RIGHT, span.until


def _runs(points: Points, span: Span, top: float) -> Iterator[str]:
    """The points of each stretch without a gap; a single one as a short dash."""
    run: list[tuple[float, float]] = []
    for at, value in (*points, (span.until, None)):
        if value is not None:
            run.append((_x(at, span), _y(value, top)))
        elif run:
            if len(run) == 1:
                run.append((run[0][0] + 2, run[0][1]))
            yield " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            run = []


def _x(at: int, span: Span) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (at - span.since) / max(span.until - span.since, 1)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"
