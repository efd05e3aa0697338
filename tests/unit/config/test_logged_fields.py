"""docs/logs.md lists the fields of the lines that the code writes: all of them, and no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("config", "feed", "tweets", "fanout", "accounts", "storage")
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
BINDING = ("bind_contextvars", "bound_contextvars")
WRITES_A_LINE = "write_request"
MADE_BY_STRUCTLOG = {"event", "level", "logger", "timestamp", "exception"}
BOUND_BY_WHO_TRACES = {"trace_id", "span_id"}
IS_THE_EXCEPTION = "exc_info"


def written() -> Iterator[str]:
    """The names of the keywords of each line, and of what is bound to many."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and (_logs(node.func) or _binds(node.func)):
                    yield from (each.arg for each in node.keywords if each.arg is not None)


def _logs(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id == WRITES_A_LINE
    if not (isinstance(called, ast.Attribute) and called.attr in LEVELS):
        return False
    return isinstance(called.value, ast.Name) and called.value.id == "log"


def _binds(called: ast.expr) -> bool:
    return isinstance(called, ast.Name) and called.id in BINDING


def test_the_table_has_every_field_and_no_other() -> None:
    table = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs" / "logs.md").read_text(), re.MULTILINE)
    listed = [name for row in table for name in re.findall(r"`(\w+)`", row)]
    assert len(listed) == len(set(listed))
    assert set(listed) == {*written()} - {IS_THE_EXCEPTION} | MADE_BY_STRUCTLOG | BOUND_BY_WHO_TRACES
