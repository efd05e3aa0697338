"""Graphs of a result, as SVG."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from bench.results import Graph, Result

mpl.use("svg")
# Text stays text, and the same figures give the same file.
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "bench"}


def draw(result: Result, directory: Path) -> list[Path]:
    """One file a graph, `<bench>-<store>-<graph>.svg`."""
    return [draw_graph(graph, directory / f"{result.bench}-{result.store}-{graph.name}.svg") for graph in result.graphs]


def draw_graph(graph: Graph, path: Path) -> Path:
    figure = Canvas(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for line in graph.lines:
        axes.plot(line.xs, line.ys, marker="o" if len(line.xs) < 50 else "", label=line.name)
    axes.set(title=graph.title, xlabel=graph.x, ylabel=graph.y)
    axes.set_xscale("log" if graph.log_x else "linear")
    axes.set_yscale("log" if graph.log_y else "linear")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    return path
