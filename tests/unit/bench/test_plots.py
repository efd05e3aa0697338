"""Graphs as SVG."""

from pathlib import Path

from bench.plots import draw
from bench.results import Graph, Line, Result


def test_each_graph_is_a_file_with_its_words_and_the_same_every_time(tmp_path: Path) -> None:
    graph = Graph("latency", "60 % home", "requests/s", "ms", [Line("p99", [50, 100], [5, 10])], log_x=True, log_y=True)
    result = Result("mixed", "cassandra", [], graphs=[graph])
    [path] = draw(result, tmp_path / "one")
    [again] = draw(result, tmp_path / "two")
    assert path.name == "mixed-cassandra-latency.svg"
    for word in ("60 % home", "requests/s", "ms", "p99"):
        assert word in path.read_text()
    assert path.read_bytes() == again.read_bytes()
