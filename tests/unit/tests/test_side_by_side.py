"""What two pytest runs have counted, as one closing line."""

from collections import Counter

import pytest

from tests.side_by_side import ROOT, RUNS, counted, failures


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("==== 3 passed in 1.20s ====", {"passed": 3}),
        ("= 4 failed, 3344 passed, 3 skipped in 1731.83s (0:28:51) =", {"failed": 4, "passed": 3344, "skipped": 3}),
        ("1 passed, 5 deselected, 2 errors in 0.10s", {"passed": 1, "deselected": 5, "error": 2}),
        ("tests/unit/test_x.py ....  [ 3%]", {}),
        ("applied 2 passed in vain", {}),
    ],
)
def test_only_closing_lines_count(line: str, counts: dict[str, int]) -> None:
    assert counted(line) == Counter(counts)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("FAILED tests/unit/test_x.py::test_y[a b] - assert 1 == 2", True),
        ("ERROR tests/unit/test_x.py", True),
        ("SKIPPED [3] tests/unit/test_x.py:7: no", False),
        ("2026 FAILED tests/unit/test_x.py::test_y", False),
        ("FAILED to connect", False),
    ],
)
def test_what_failed_is_said_again(line: str, said: bool) -> None:
    assert failures(line) == ([line] if said else [])


def test_every_test_belongs_to_exactly_one_run() -> None:
    named = [ROOT / directory for directories in RUNS.values() for directory in directories]
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert sum(directory in path.parents for directory in named) == 1, path
