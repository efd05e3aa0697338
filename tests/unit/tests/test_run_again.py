"""A test that fails beside others is run again alone: then it is named if it passes, and fails all if it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PASSES = "def test_passes(): pass\n"
DISTURBED = """
from pathlib import Path
def test_disturbed():
    seen = Path(__file__).with_suffix(".seen")
    was_there = seen.exists()
    seen.touch()
    assert was_there
"""
MANY = "".join(DISTURBED.replace("test_", f"test_{each}_").replace(".seen", f".{each}") for each in "1234")
BROKEN = "def test_broken(): assert False\n"
UNCOLLECTED = "import nothing_of_that_name\n"
RUN = "import sys; from tests import side_by_side as it; it.RUNS = {runs!r}; sys.exit(it.run(False, []))"


def ran(directory: Path, one: str, other: str = PASSES, **environment: str) -> tuple[int, list[str]]:
    """The exit status and the lines of two runs of one file each."""
    runs = {}
    for name, source in (("servers", one), ("product", other)):
        (directory / name).mkdir()
        (directory / name / f"test_{name}.py").write_text(source)
        runs[name] = [str(directory / name)]
    plain = {name: value for name, value in os.environ.items() if name not in {"CI", "ONCE", "PYTEST_ADDOPTS"}}
    bare = {"CASSANDRA_HOSTS": "unused", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-ra"}
    answer = subprocess.run(
        [sys.executable, "-c", RUN.format(runs=runs)],
        env=plain | bare | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return answer.returncode, answer.stdout.splitlines()


def test_what_passes_alone_is_named_and_no_failure(tmp_path: Path) -> None:
    status, lines = ran(tmp_path, DISTURBED)
    assert status == 0, lines
    assert lines[-1] == "2 passed, 0 failed, 1 of them only when alone"
    assert lines[-3].startswith("servers: passed alone")
    assert "::test_disturbed" in lines[-2]


def test_what_fails_alone_as_well_is_a_failure(tmp_path: Path) -> None:
    status, lines = ran(tmp_path, BROKEN, DISTURBED)
    assert status == 1
    assert sum("1 failed" in line for line in lines if line.startswith("servers ")) == 2, "it was run twice"
    assert any("::test_broken" in line for line in lines[-5:])
    assert lines[-1] == "1 passed, 1 failed, 1 of them only when alone"


@pytest.mark.parametrize(
    ("source", "environment"),
    [
        pytest.param(MANY, {}, id="many"),
        pytest.param(UNCOLLECTED, {}, id="no test"),
        pytest.param(DISTURBED, {"ONCE": "1"}, id="once"),
    ],
)
def test_nothing_is_run_again_where_more_is_wrong(tmp_path: Path, source: str, environment: dict[str, str]) -> None:
    status, lines = ran(tmp_path, source, **environment)
    assert status == 1
    assert not any("runs again" in line for line in lines)
